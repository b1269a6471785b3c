from .contrastive_crop import ContrastiveCrop
from .loading import LoadImage
from .pipelines import loading_steps, steps_of
from .region_swap import RegionSwap

__all__ = [
    'ContrastiveCrop', 'LoadImage', 'RegionSwap', 'loading_steps', 'steps_of'
]
