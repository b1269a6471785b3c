from .contrastive_crop import ContrastiveCrop, check_alpha
from .loading import LoadImage
from .pipelines import loading_steps, steps_of
from .region_swap import RegionSwap

__all__ = [
    'ContrastiveCrop', 'check_alpha', 'LoadImage', 'RegionSwap',
    'loading_steps', 'steps_of'
]
