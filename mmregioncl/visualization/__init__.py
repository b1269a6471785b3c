from .browse import browse_views, fit_region_swap
from .loss_curve import loss_curve, read_scalars
from .view_sheet import to_images, view_sheet

__all__ = [
    'browse_views', 'fit_region_swap', 'loss_curve', 'read_scalars',
    'to_images', 'view_sheet'
]
