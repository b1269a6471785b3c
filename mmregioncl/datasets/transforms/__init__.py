from .augmentations import (ColorJitter, MultiView, PackSelfSupInputs,
                            RandomFlip, RandomGaussianBlur, RandomGrayscale,
                            RandomResizedCrop, RandomSolarize)
from .contrastive_crop import ContrastiveCrop, check_alpha
from .loading import LoadImage
from .pipelines import is_crop, loading_steps, steps_of

__all__ = [
    'ColorJitter', 'ContrastiveCrop', 'LoadImage', 'MultiView',
    'PackSelfSupInputs', 'RandomFlip', 'RandomGaussianBlur', 'RandomGrayscale',
    'RandomResizedCrop', 'RandomSolarize', 'check_alpha', 'is_crop',
    'loading_steps', 'steps_of'
]
