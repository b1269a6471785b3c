"""Rename the weights of a backbone of OpenMMLab as in other packages."""
import re
from typing import Optional

import torch
from torch import Tensor

from .families import FAMILIES, TIMM_BACKBONE, Rules, Weights

LAYOUTS = ('openmmlab', 'mmdet', 'mmseg', 'torchvision', 'timm', 'detectron2')


def apply_rules(rules: Rules, weights: Weights) -> Weights:
    """Rename weights by each rule in turn."""
    renamed = {}
    for name, value in weights.items():
        for rule in rules:
            name, count = re.subn(rule.pattern, rule.name, name)
            if count:
                value = rule.change(value)
        if name:
            renamed[name] = value
    return renamed


def family_of(weights: Weights) -> Optional[str]:
    """The family of a backbone, by the names of its weights.

    Args:
        weights (dict[str, Tensor]): With the names of OpenMMLab.

    Returns:
        str or None: A key of ``FAMILIES``; None for any other backbone.
    """
    for kind, family in FAMILIES.items():
        if all(re.fullmatch(family.names, name)
               for name in weights) and (kind != 'regnet'
                                         or is_regnet(weights)):
            return kind
    return None


def is_regnet(weights: Weights) -> bool:
    """Whether a ResNet is a RegNet: 32 channels, and no wider outputs."""
    narrow, wide = (
        weights.get(f'layer1.0.conv{place}.weight', ()) for place in (1, 3))
    stem = weights.get('conv1.weight', ())
    return len(stem) == 32 and len(narrow) == len(wide)


def to_layout(weights: Weights, layout: str) -> Weights:
    """Rename the weights of a backbone as in another package.

    Args:
        weights (dict[str, Tensor]): With the names of OpenMMLab.
        layout (str): One of ``LAYOUTS``. 'mmdet' and 'mmseg' are the names of
            these packages' own backbones, which differ for deep stems,
            MobileNetV2 and vision transformers.

    Returns:
        dict[str, Tensor]: Weights of the same network in the other package,
        without its classifier. Weights do not reveal settings such as ResNet's
        style, which is 'pytorch' in the others.

    Raises:
        ValueError: If the layout has no names for such a backbone.
    """
    return apply_rules(rules_of(weights, layout), weights)


def rules_of(weights: Weights, layout: str) -> Rules:
    """The rules with which :func:`to_layout` renames the weights.

    Raises:
        ValueError: If the layout has no names for such a backbone.
    """
    if layout == 'openmmlab':
        return ()
    first: Rules = ()
    kind = family_of(weights)
    if kind == 'timm' and layout in ('torchvision', 'detectron2'):
        first = TIMM_BACKBONE
        weights = apply_rules(first, weights)
        kind = family_of(weights)  # timm's ResNets have torchvision's names
    rules = getattr(FAMILIES[kind], layout) if kind else None
    if rules is None:
        what = kind or f'networks with weights such as {next(iter(weights))}'
        raise ValueError(
            f'no counterpart of {what} is known in {layout}: use the layout '
            'openmmlab, with the names of training')
    return (*first, *(rules(weights) if callable(rules) else rules))


def undo_rules(rules: Rules, wanted: Weights, given: Weights) -> Weights:
    """Rename the weights of another package as in OpenMMLab.

    The inverse of :func:`to_layout`.

    Args:
        rules (Rules): From :func:`rules_of` for `wanted`.
        wanted (dict[str, Tensor]): Weights of the backbone of OpenMMLab.
        given (dict[str, Tensor]): Those of the other package.

    Returns:
        dict[str, Tensor]: Weights of `given`, by the names of `wanted`.
    """
    found: Weights = {}
    for name, value in wanted.items():
        # Rules may reorder values: see where each of them goes.
        order = torch.arange(value.numel()).view(value.shape)
        for theirs, places in apply_rules(rules, {name: order}).items():
            if theirs in given:
                found[name] = given[theirs] if places is order else \
                    put_back(given[theirs], places).view(value.shape)
    return found


def put_back(values: Tensor, places: Tensor) -> Tensor:
    """Undo a reordering, given the place of each value.

    Args:
        values (Tensor): Reordered, of any shape.
        places (Tensor): Where each of them was, of the same shape.

    Returns:
        Tensor: The values in the original order, with one axis.
    """
    return values.flatten()[places.flatten().argsort()]
