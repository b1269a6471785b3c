from .region_necks import (RegionDenseCLNeck, RegionMoCoV2Neck,
                           RegionNonLinearNeck)

__all__ = ['RegionDenseCLNeck', 'RegionMoCoV2Neck', 'RegionNonLinearNeck']
