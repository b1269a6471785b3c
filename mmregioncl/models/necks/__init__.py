from .linear_neck import LinearNeck
from .region_necks import (RegionDenseCLNeck, RegionMoCoV2Neck,
                           RegionMoCoV3Neck, RegionNonLinearNeck)

__all__ = [
    'LinearNeck', 'RegionDenseCLNeck', 'RegionMoCoV2Neck', 'RegionMoCoV3Neck',
    'RegionNonLinearNeck'
]
