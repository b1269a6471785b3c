from .region_necks import (RegionDenseCLNeck, RegionMoCoV2Neck,
                           RegionNeckMixin, RegionNonLinearNeck)

__all__ = [
    'RegionDenseCLNeck', 'RegionMoCoV2Neck', 'RegionNeckMixin',
    'RegionNonLinearNeck'
]
