from .region_contrastive_head import RegionContrastiveHead

__all__ = ['RegionContrastiveHead']
