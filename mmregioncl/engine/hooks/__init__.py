from .channels_last_hook import ChannelsLastHook
from .fresh_data_hook import FreshDataHook
from .guard_hook import GuardHook
from .online_knn_hook import OnlineKNNHook
from .online_linear_probe_hook import OnlineLinearProbeHook
from .pretrained_hook import PretrainedHook
from .representation_health_hook import RepresentationHealthHook
from .semantic_localization_hook import SemanticLocalizationHook

__all__ = [
    'ChannelsLastHook', 'FreshDataHook', 'GuardHook', 'OnlineKNNHook',
    'OnlineLinearProbeHook', 'PretrainedHook', 'RepresentationHealthHook',
    'SemanticLocalizationHook'
]
