from .browse import (browse_boxes, browse_predictions, browse_views,
                     fit_region_swap)
from .curves import loss_curve, read_scalars
from .sheets import box_sheet, row_sheet, to_images, view_sheet

__all__ = [
    'box_sheet', 'browse_boxes', 'browse_predictions', 'browse_views',
    'fit_region_swap', 'loss_curve', 'read_scalars', 'row_sheet', 'to_images',
    'view_sheet'
]
