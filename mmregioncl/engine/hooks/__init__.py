from .channels_last_hook import ChannelsLastHook
from .fresh_data_hook import FreshDataHook
from .guard_hook import GuardHook
from .pretrained_hook import PretrainedHook
from .semantic_localization_hook import SemanticLocalizationHook

__all__ = [
    'ChannelsLastHook', 'FreshDataHook', 'GuardHook', 'PretrainedHook',
    'SemanticLocalizationHook'
]
