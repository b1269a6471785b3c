from . import augmentations, views
from .augmentations import (ColorJitter, RandomFlip, RandomGaussianBlur,
                            RandomGrayscale, RandomResizedCrop, RandomSolarize)
from .bands import ResizeBands
from .batch_views import BatchViews
from .contrastive_crop import ContrastiveCrop, check_alpha
from .loading import LoadImage
from .pipelines import (channels_of, check_color_steps, crop_settings, is_crop,
                        is_loading, kinds_of, loading_steps, steps_of)
from .views import MultiView, PackSeededInputs, PackSelfSupInputs

# Faster ones with the names of MMSelfSup's and mmcv's
FAST = (*augmentations.__all__, *views.__all__)

__all__ = [
    'BatchViews', 'ColorJitter', 'ContrastiveCrop', 'FAST', 'LoadImage',
    'MultiView', 'PackSeededInputs', 'PackSelfSupInputs', 'RandomFlip',
    'RandomGaussianBlur', 'RandomGrayscale', 'RandomResizedCrop',
    'RandomSolarize', 'ResizeBands', 'channels_of', 'check_alpha',
    'check_color_steps', 'crop_settings', 'is_crop', 'is_loading', 'kinds_of',
    'loading_steps', 'steps_of'
]
