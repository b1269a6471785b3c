from .loading import LoadImage
from .region_swap import RegionSwap

__all__ = ['LoadImage', 'RegionSwap']
