"""Classes of the host that this package extends, and how the hosts differ."""
from typing import List, Optional, Tuple, Union

from torch import Tensor, nn

from mmregioncl import host
from mmregioncl.validation import arguments_of

if host.NAME == 'mmselfsup':
    from mmcls.models.classifiers import ImageClassifier
    from mmselfsup.models.algorithms import (BYOL, BaseModel, DenseCL, MoCo,
                                             MoCoV3, SimCLR, SimSiam)
    from mmselfsup.models.heads import (ContrastiveHead, LatentPredictHead,
                                        MoCoV3Head)
    from mmselfsup.models.necks import DenseCLNeck, MoCoV2Neck, NonLinearNeck
    from mmselfsup.models.utils import (CosineEMA, GatherLayer,
                                        SelfSupDataPreprocessor)
    from mmselfsup.registry import MODELS as HOST_MODELS
else:
    from mmpretrain.models.classifiers import ImageClassifier
    from mmpretrain.models.heads import (ContrastiveHead, LatentPredictHead,
                                         MoCoV3Head)
    from mmpretrain.models.necks import DenseCLNeck, MoCoV2Neck, NonLinearNeck
    from mmpretrain.models.selfsup import BYOL
    from mmpretrain.models.selfsup import BaseSelfSupervisor as BaseModel
    from mmpretrain.models.selfsup import (DenseCL, MoCo, MoCoV3, SimCLR,
                                           SimSiam)
    from mmpretrain.models.selfsup.simclr import GatherLayer
    from mmpretrain.models.utils import CosineEMA, SelfSupDataPreprocessor
    from mmpretrain.registry import MODELS as HOST_MODELS

__all__ = [
    'BYOL', 'BaseModel', 'ContrastiveHead', 'CosineEMA', 'DenseCL',
    'DenseCLNeck', 'GatherLayer', 'HOST_MODELS', 'ImageClassifier',
    'LatentPredictHead', 'MoCo', 'MoCoV2Neck', 'MoCoV3', 'MoCoV3Head',
    'NonLinearNeck', 'SelfSupDataPreprocessor', 'SimCLR', 'SimSiam',
    'class_of', 'criterion_of', 'join_batch', 'map_advice', 'replaced',
    'split_batch', 'stage_advice', 'with_settings'
]

Batch = Union[dict, Tuple[List[Tensor], list]]


def join_batch(views: List[Tensor], samples: list) -> Batch:
    """A batch as the host's data preprocessor returns it."""
    if host.NAME == 'mmselfsup':
        return views, samples
    return dict(inputs=views, data_samples=samples)


def split_batch(batch: Batch) -> Tuple[List[Tensor], list]:
    """Views and data samples of what a data preprocessor returned."""
    if isinstance(batch, dict):
        return batch['inputs'], batch['data_samples']
    return batch


def criterion_of(head: LatentPredictHead) -> nn.Module:
    """The loss module of a head of the host."""
    return head.loss if host.NAME == 'mmselfsup' else head.loss_module


def replaced(momentum: float) -> float:
    """Convert the host's momentum to the share that a step replaces."""
    return 1 - host.kept(momentum)


def class_of(cfg: dict) -> Optional[type]:
    """The class that the parent builds of a config; None without a type."""
    kind = (cfg or {}).get('type')
    if isinstance(kind, str):
        with HOST_MODELS.switch_scope_and_registry(
                cfg.get('_scope_')) as registry:
            return registry.get(kind)
    return kind


def with_settings(backbone: dict, settings: dict) -> dict:
    """Add settings that a backbone has and its config does not set.

    Args:
        backbone (dict): Config of a backbone.
        settings (dict): Arguments of any backbones.
    """
    kind = class_of(backbone)
    if kind is None:
        return backbone  # building it raises the error
    known = arguments_of(kind)
    added = {k: v for k, v in settings.items() if k in known}
    return {**added, **backbone}


ONE_STAGE = 'one stage in out_indices of the backbone'
# Architectures that return one map, by the names of both hosts
SUCH = 'such as ResNet, ConvNeXt, SwinTransformer or VisionTransformer'


def map_advice(backbone: dict, settings: dict) -> str:
    """What to do if a backbone returns no feature map.

    Args:
        backbone (dict): Config of a backbone.
        settings (dict): Settings that make backbones return a map, as added by
            :func:`with_settings`.
    """
    name = getattr(class_of(backbone), '__name__', 'the backbone')
    if name == 'TIMMBackbone':
        settings = dict(features_only=True, out_indices=(-1, ))
        backbone = dict(dict.fromkeys(settings), **backbone)
    others = [
        f'backbone.{key}={value!r}' for key, value in settings.items()
        if backbone.get(key, value) != value
    ]
    if others:
        return f'set {" and ".join(others)}'
    return (f'{name} has no option to return one, use an '
            f'architecture that does, {SUCH}')


def stage_advice(backbone: dict) -> str:
    """What to set if a backbone returns several feature maps.

    Args:
        backbone (dict): Config of a backbone.
    """
    kind = class_of(backbone)
    if kind and 'multiscale_output' in arguments_of(kind):
        return 'multiscale_output=False of the backbone'  # HRNet
    return ONE_STAGE
