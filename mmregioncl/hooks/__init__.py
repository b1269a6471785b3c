from .accumulation_hook import AccumulationHook
from .channels_last_hook import ChannelsLastHook
from .compile_hook import CompileHook
from .early_stopping_hook import EarlyStoppingHook
from .fresh_data_hook import FreshDataHook
from .gradient_checkpoint_hook import GradientCheckpointHook
from .guard_hook import GuardHook
from .online_knn_hook import OnlineKNNHook
from .online_linear_probe_hook import OnlineLinearProbeHook
from .pretrained_hook import PretrainedHook
from .representation_health_hook import RepresentationHealthHook
from .resume_hook import ResumeHook
from .run_summary_hook import RunSummaryHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .semantic_localization_hook import SemanticLocalizationHook
from .throughput_hook import ThroughputHook
from .timed_checkpoint_hook import TimedCheckpointHook

__all__ = [
    'AccumulationHook', 'ChannelsLastHook', 'CompileHook', 'EarlyStoppingHook',
    'FreshDataHook', 'GradientCheckpointHook', 'GuardHook', 'OnlineKNNHook',
    'OnlineLinearProbeHook', 'PretrainedHook', 'RepresentationHealthHook',
    'ResumeHook', 'RunSummaryHook', 'SafeCheckpointHook',
    'SemanticLocalizationHook', 'ThroughputHook', 'TimedCheckpointHook'
]
