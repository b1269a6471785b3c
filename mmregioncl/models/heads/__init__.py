from .region_contrastive_head import RegionContrastiveHead
from .region_latent_predict_head import RegionLatentPredictHead
from .region_mocov3_head import RegionMoCoV3Head
from .region_nt_xent_head import RegionNTXentHead

__all__ = [
    'RegionContrastiveHead', 'RegionLatentPredictHead', 'RegionMoCoV3Head',
    'RegionNTXentHead'
]
