from .browse import browse_boxes, browse_predictions, browse_views
from .curves import curve_figure, read_curves, read_scalars
from .features import draw_features, draw_neighbours
from .report import draw_run, write_report
from .sheets import box_sheet, row_sheet, to_images, view_sheet

__all__ = [
    'box_sheet', 'browse_boxes', 'browse_predictions', 'browse_views',
    'curve_figure', 'draw_features', 'draw_neighbours', 'draw_run',
    'read_curves', 'read_scalars', 'row_sheet', 'to_images', 'view_sheet',
    'write_report'
]
