from .regioncl_moco import RegionCLMoCo

__all__ = ['RegionCLMoCo']
