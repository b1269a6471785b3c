from .contrastive_crop import ContrastiveCrop
from .loading import LoadImage
from .region_swap import RegionSwap

__all__ = ['ContrastiveCrop', 'LoadImage', 'RegionSwap']
