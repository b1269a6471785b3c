"""Load a backbone from a file of any package, completely or not at all."""
import re
from contextlib import suppress
from typing import Dict, Iterator, List, Sequence, Tuple

from torch import nn

from mmregioncl.models.utils import faults_of
from .convert import CLASSIFIER, backbone_part
from .families import SPELLINGS, Rules, Weights
from .layouts import LAYOUTS, apply_rules, rules_of, undo_rules

# Counters of batch norm, which older files lack, and constants
NOT_NEEDED = r'.*(num_batches_tracked|relative_position_index)$'
NEEDLESS = rf'{CLASSIFIER}|conv_head\.|{NOT_NEEDED}'


def load_backbone(model: nn.Module,
                  weights: Weights,
                  parts: Sequence[str] = ('backbone', ),
                  new: str = r'(?!)') -> int:
    """Load all weights of a backbone into a model, or none.

    Args:
        model (nn.Module): The model.
        weights (dict[str, Tensor]): See :func:`fitting`.
        parts (Sequence[str]): Modules of the model that form the backbone: a
            C4 detector has the last stage in its head. Defaults to
            ('backbone', ).
        new (str): Regular expression of the weights in these modules that are
            not pre-trained. By default it matches none.

    Returns:
        int: Number of loaded weights.

    Raises:
        ValueError: If the weights do not fit.
    """
    wanted = {
        name: value
        for part in parts
        for name, value in model.get_submodule(part).state_dict().items()
        if not re.match(new, name)
    }
    found = fitting(
        wanted,
        weights,
        f'{" and ".join(parts)} of {type(model).__name__}',
        # such as norms of the first maps
        if_missing=', or list the missing ones in `new` of PretrainedHook')
    for name, value in found.items():
        wanted[name].copy_(value)  # shares the memory of the parameter
    return len(found)


def fitting(wanted: Weights,
            weights: Weights,
            place: str,
            if_missing: str = '') -> Weights:
    """Weights of a checkpoint by the names of a backbone.

    Counters of batch norm and constants are neither needed nor returned.

    Args:
        wanted (dict[str, Tensor]): Weights of the backbone.
        weights (dict[str, Tensor]): Weights of any model of OpenMMLab, of
            OpenSelfSup, or of a backbone of torchvision, timm or OpenMMLab,
            with a classifier or not.
        place (str): Description of the target, for errors.
        if_missing (str): Further advice if weights are missing, but nothing
            else is wrong.

    Raises:
        ValueError: If there is no backbone, or if a weight of it is missing,
            unexpected or of another shape, by the names that fit best.
    """
    # Meta tensors have shapes but no values.
    wanted = {
        name: value.to('meta')
        for name, value in without(NOT_NEEDED, wanted).items()
    }
    part = backbone_part(weights)
    ways = [(rules, given, faults_by(rules, wanted, given))
            for rules, given in ways_to_fit(wanted, part)]
    rules, given, faults = min(
        ways, key=lambda way: sum(map(len, way[2].values())))
    if not faults:
        return undo_rules(rules, wanted, given)
    if 'misshapen' in faults:
        first, *rest = faults['misshapen']
        goal = (wanted | apply_rules(rules, wanted))[first]
        faults['misshapen'] = [
            f'{first} of shape {[*given[first].shape]} instead of '
            f'{[*goal.shape]}', *rest
        ]
    lists = '; '.join(f'{len(names)} {fault}: {shortened(names)}'
                      for fault, names in faults.items())
    advice = if_missing if [*faults] == ['missing'] else ''
    raise ValueError(
        f'the pre-trained backbone does not fit {place}: set type, depth, '
        f'width, stem and image size as in pre-training{advice} ({lists})')


def ways_to_fit(wanted: Weights,
                given: Weights) -> Iterator[Tuple[Rules, Weights]]:
    """Rules that rename `wanted` as a package does, and given weights."""
    for spelling in SPELLINGS:
        yield (), apply_rules(spelling, given)
    for layout in LAYOUTS[1:]:
        with suppress(ValueError):  # without names for such a backbone
            yield rules_of(wanted, layout), given


def faults_by(rules: Rules, wanted: Weights,
              given: Weights) -> Dict[str, List[str]]:
    """What is wrong with a file if it has the names that rules make."""
    places = {}
    for name, value in wanted.items():
        place = apply_rules(rules, {name: value})
        places.update(place or {name: value})  # what a layout leaves out
    known = {name: given[name] for name in given.keys() & places.keys()}
    return faults_of(places, without(NEEDLESS, given) | known)


def without(pattern: str, weights: Weights) -> Weights:
    """Weights whose names do not match."""
    return {k: v for k, v in weights.items() if not re.match(pattern, k)}


def shortened(names: List[str]) -> str:
    """List the first three names, and how many more there are."""
    rest = len(names) - 3
    return ', '.join(names[:3]) + (f' and {rest} more' if rest > 0 else '')
