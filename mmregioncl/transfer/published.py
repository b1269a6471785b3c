"""Start pre-training from the published weights of a backbone."""
import re
from typing import Dict, List, Optional, Tuple

import torch
from mmengine.model import BaseAveragedModel
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmregioncl.models.parents import BaseModel
from mmregioncl.models.utils import faults_of
from .families import Weights
from .layouts import LAYOUTS, apply_rules, rules_of

# Layers behind a backbone, in torchvision, timm and OpenMMLab
CLASSIFIER = r'(fc|heads?|head_dist|classifier)\.'
# Of ResNets, by the number of their blocks, and whether these have a third
# convolution
DEPTHS = {
    (8, False): 18,
    (16, False): 34,
    (16, True): 50,
    (33, True): 101,
    (50, True): 152
}
# Counters of batch norm, which older files lack, and constants
NOT_NEEDED = r'.*(num_batches_tracked|relative_position_index)$'


def adopt_published(model: nn.Module, checkpoint: dict) -> Optional[str]:
    """Complete a checkpoint that holds nothing but a backbone, in place.

    Afterwards it holds all weights of the model: those of the backbone, also
    for its moving averages, and in the place of the others those that the
    model has.

    Args:
        model (nn.Module): Only pre-training algorithms adopt a backbone.
        checkpoint (dict): A backbone or classifier of torchvision, timm or
            OpenMMLab. One that fits the model, or has a neck, stays as it is.

    Returns:
        str or None: A sentence for the log; None if the checkpoint stays as it
        is.

    Raises:
        ValueError: If a weight of the backbone is missing, unexpected or of
            another shape.
    """
    given = checkpoint
    for name in ('state_dict', 'model'):
        given = given.get(name, given)
    given = {name.removeprefix('module.'): given[name] for name in given}
    own = model.state_dict()
    if not isinstance(model, BaseModel) or not faults_of(own, given) or any(
            name.startswith('neck.') for name in given):
        return None
    inside = {
        name.removeprefix('backbone.'): value
        for name, value in given.items() if name.startswith('backbone.')
    }
    wanted = model.backbone.state_dict()
    weights = fitting(wanted, inside or given)
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
    left_out = [name for name in given if re.match(CLASSIFIER, name)]
    count = sum(not re.match(NOT_NEEDED, name) for name in weights)
    places = ' and '.join(prefix.removesuffix('.') for prefix in prefixes)
    return (f'backbone: {count} weights loaded into {places}, the others of '
            f'{type(model).__name__} are random; left out: '
            f'{", ".join(left_out) or "none"}')


def fitting(wanted: Weights, given: Weights) -> Weights:
    """Weights of a file by the names of a backbone, in the layout that fits.

    Args:
        wanted (dict[str, Tensor]): Weights of a backbone of OpenMMLab.
        given (dict[str, Tensor]): Those of a file, with a classifier or not.

    Raises:
        ValueError: If no layout fits.
    """
    layout, faults = nearest(wanted, given)
    if not faults:
        return from_layout(wanted, given, layout)
    lists = '; '.join(f'{len(names)} {fault}, such as {names[0]}'
                      for fault, names in faults.items())
    resnet = resnet_of(given) if faults.keys() - {'misshapen'} else None
    if resnet:
        kind, depth = resnet
        raise ValueError(
            f'the published weights are those of a {kind} of depth {depth}: '
            f"set type='mmregioncl.{kind}' and depth={depth} of model.backbone"
            f' ({lists})')
    raise ValueError(
        'the published weights do not fit the backbone by the names of '
        f'{layout}, the nearest: set depth, width, stem and image size of '
        f'model.backbone as in the checkpoint ({lists})')


def nearest(wanted: Weights, given: Weights) -> Tuple[str, Dict]:
    """The layout that fits best, and what is wrong with the file in it."""
    faults = {}
    for layout in LAYOUTS:
        try:
            faults[layout] = faults_by(wanted, given, layout)
        except ValueError:  # without names for such a backbone
            continue
    layout = min(faults, key=lambda name: sum(map(len, faults[name].values())))
    return layout, faults[layout]


def resnet_of(given: Weights) -> Optional[Tuple[str, int]]:
    """Type and depth of the ResNet that a file is of, by its names.

    None for other networks.
    """
    names = ' '.join(given)
    blocks = len({*re.findall(r'\blayer\d\.\d+\.', names)})
    depth = DEPTHS.get((blocks, '.conv3.' in names))
    for kind in ('ResNet', 'ResNetV1c', 'ResNetV1d') if depth else ():
        narrow = MODELS.build(
            dict(
                type=f'mmregioncl.{kind}',
                depth=depth,
                stem_channels=2,
                base_channels=2))
        _, faults = nearest(narrow.state_dict(), given)
        if not faults.keys() - {'misshapen'}:
            return kind, depth
    return None


def faults_by(wanted: Weights, given: Weights,
              layout: str) -> Dict[str, List[str]]:
    """What is wrong with a file if it has the names of a layout."""
    rules = rules_of(wanted, layout)
    places = {}
    for name, value in wanted.items():
        # Meta tensors have shapes and no values.
        place = apply_rules(rules, {name: value.to('meta')})
        places.update(place or {name: value})  # what a layout leaves out
    needless = {
        name
        for name in places.keys() ^ given.keys()
        if re.match(NOT_NEEDED if name in places else CLASSIFIER, name)
    }
    return faults_of(*({
        name: value
        for name, value in weights.items() if name not in needless
    } for weights in (places, given)))


def from_layout(wanted: Weights, given: Weights, layout: str) -> Weights:
    """Give the weights of another package the names of OpenMMLab.

    The inverse of :func:`mmregioncl.transfer.to_layout`.

    Args:
        wanted (dict[str, Tensor]): Weights of the backbone of OpenMMLab.
        given (dict[str, Tensor]): Those of the other package.
        layout (str): One of ``LAYOUTS``.

    Returns:
        dict[str, Tensor]: Weights of `given`, by the names of `wanted`.
    """
    rules = rules_of(wanted, layout)
    found: Weights = {}
    for name, value in wanted.items():
        # Rules may reorder values: see where each of them goes.
        order = torch.arange(value.numel()).view(value.shape)
        for theirs, places in apply_rules(rules, {name: order}).items():
            if theirs in given:
                found[name] = put_back(given[theirs], places).view(value.shape)
    return found


def put_back(values: Tensor, places: Tensor) -> Tensor:
    """Undo a reordering, of which the place of each value is known.

    Args:
        values (Tensor): Reordered, of any shape.
        places (Tensor): Where each of them was, of the same shape.

    Returns:
        Tensor: The values as they were, with one axis.
    """
    return values.flatten()[places.flatten().argsort()]
