from .contrastive_crop import ContrastiveCrop, check_alpha
from .fast import (ColorJitter, MultiView, PackSelfSupInputs, RandomFlip,
                   RandomGaussianBlur, RandomGrayscale, RandomResizedCrop,
                   RandomSolarize)
from .loading import LoadImage
from .pipelines import loading_steps, steps_of
from .region_swap import RegionSwap

__all__ = [
    'ColorJitter', 'ContrastiveCrop', 'LoadImage', 'MultiView',
    'PackSelfSupInputs', 'RandomFlip', 'RandomGaussianBlur', 'RandomGrayscale',
    'RandomResizedCrop', 'RandomSolarize', 'RegionSwap', 'check_alpha',
    'loading_steps', 'steps_of'
]
