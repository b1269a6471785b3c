from .box_sheet import box_sheet, browse_boxes
from .browse import browse_views, fit_region_swap
from .loss_curve import loss_curve, read_scalars
from .view_sheet import to_images, view_sheet

__all__ = [
    'box_sheet', 'browse_boxes', 'browse_views', 'fit_region_swap',
    'loss_curve', 'read_scalars', 'to_images', 'view_sheet'
]
