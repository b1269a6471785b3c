from .region_necks import RegionMoCoV2Neck

__all__ = ['RegionMoCoV2Neck']
