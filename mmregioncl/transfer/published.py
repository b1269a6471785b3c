"""Start pre-training from the published weights of a backbone."""
import re
from typing import Optional

from mmengine.model import BaseAveragedModel
from torch import nn

from mmregioncl.models.parents import BaseModel
from mmregioncl.models.utils import faults_of
from .convert import CLASSIFIER, weights_in
from .load import fitting


def adopt_published(model: nn.Module, checkpoint: dict) -> Optional[str]:
    """Complete a checkpoint that contains only a backbone, in place.

    Afterwards it has all weights of the model: those of the backbone, also
    for its moving averages, and for all others the values that the
    model has.

    Args:
        model (nn.Module): Only pre-training algorithms adopt a backbone.
        checkpoint (dict): A backbone or classifier of torchvision, timm or
            OpenMMLab. One that fits the model, or has a neck, is unchanged.

    Returns:
        str or None: A sentence for the log; None if the checkpoint is not
        changed.

    Raises:
        ValueError: If a weight of the backbone is missing, unexpected or of
            another shape.
    """
    given, own = weights_in(checkpoint), model.state_dict()
    if not isinstance(model, BaseModel) or not given:
        return None
    has_neck = any(name.startswith('neck.') for name in given)
    if has_neck or not faults_of(own, given):
        return None
    weights = fitting(model.backbone.state_dict(), given,
                      f'backbone of {type(model).__name__}')
    prefixes = ['backbone.'] + [
        f'{name}.module.0.' for name, part in model.named_children()
        if isinstance(part, BaseAveragedModel)
    ]
    checkpoint.clear()
    checkpoint['state_dict'] = own | {
        f'{prefix}{name}': value
        for prefix in prefixes
        for name, value in weights.items()
    }
    used = {id(value) for value in weights.values()}
    left_out = [
        name for name, value in given.items()
        if re.match(CLASSIFIER, name) and id(value) not in used
    ]
    places = ' and '.join(prefix.removesuffix('.') for prefix in prefixes)
    return (f'backbone: {len(weights)} weights loaded into {places}, the '
            f'others of {type(model).__name__} are random; left out: '
            f'{", ".join(left_out) or "none"}')
