"""Load a backbone from a file of any package, all of it or nothing."""
import re
from contextlib import suppress
from functools import cache
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

from mmengine.registry import MODELS
from torch import nn

from mmregioncl.models.utils import faults_of
from .convert import CLASSIFIER, backbone_part
from .families import FAMILIES, SPELLINGS, Rules, Weights
from .layouts import (LAYOUTS, apply_rules, family_of, rules_of, to_layout,
                      undo_rules)

# Counters of batch norm, which older files lack, and constants
NOT_NEEDED = r'.*(num_batches_tracked|relative_position_index)$'
NEEDLESS = f'{CLASSIFIER}|{NOT_NEEDED}'
# Of ResNets, by the number of their blocks, and whether these have a third
# convolution
DEPTHS = {
    (8, False): 18,
    (16, False): 34,
    (16, True): 50,
    (33, True): 101,
    (50, True): 152
}


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
        place (str): What shall be loaded, in words.
        if_missing (str): Further advice if weights are missing, and nothing
            else is wrong.

    Raises:
        ValueError: If there is no backbone, or if a weight of it is missing,
            unexpected or of another shape, by the names that fit best.
    """
    # Meta tensors have shapes and no values.
    wanted = {
        name: value.to('meta')
        for name, value in without(NOT_NEEDED, wanted).items()
    }
    part = backbone_part(weights)
    ways = [(rules, given, faults_by(rules, wanted, given))
            for rules, given in ways_to_fit(wanted, part)]
    rules, given, faults = min(
        ways, key=lambda way: sum(map(len, way[2].values())))
    if faults:
        raise ValueError(f'the pre-trained backbone does not fit {place}: '
                         f'{misfit(wanted, part, faults, if_missing)}')
    return undo_rules(rules, wanted, given)


def misfit(wanted: Weights, given: Weights, faults: Dict[str, List[str]],
           if_missing: str) -> str:
    """What is wrong with given weights, and what to do."""
    lists = '; '.join(f'{len(names)} {fault}: {shortened(names)}'
                      for fault, names in faults.items())
    ours, theirs = describe(wanted), describe(given)
    kinds = f'it is {theirs} where {ours} is wanted; '
    if theirs == ours:
        kinds = ''
    advice = if_missing if [*faults] == ['missing'] else ''
    return (f'{kinds}set type, depth, width, stem and image size as in '
            f'pre-training{advice} ({lists})')


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


def describe(weights: Weights) -> str:
    """The network that weights are of, as far as their names tell it."""
    weights = without(NEEDLESS, weights)
    kind = kind_of(weights)
    if kind is None:
        return f'a network with weights such as {shortened([*weights])}'
    owner, name = kind
    depth = None
    if name.startswith('ResNet'):
        blocks = {*re.findall(r'\blayer\d\.\d+\.', ' '.join(weights))}
        deep = any('.conv3.' in name for name in weights)
        depth = DEPTHS.get((len(blocks), deep))
    return f'{owner} {name}' + (f' of depth {depth}' if depth else '')


def kind_of(weights: Weights) -> Optional[Tuple[str, str]]:
    """Who names the network that weights are of, and its type.

    Such as "timm's" and 'ResNetV1d', or 'a' and that.
    """
    own = family_of(weights)
    if own and FAMILIES[own].small:
        return 'a', FAMILIES[own].small['type']
    forms = {*map(form, weights)}
    return next(
        (kind
         for kind, theirs in forms_of_others().items() if theirs == forms),
        None)


@cache
def forms_of_others() -> Dict[Tuple[str, str], Set[str]]:
    """Forms of the names of each kind of network in other packages."""
    found = {}
    for cfg in filter(None, (family.small for family in FAMILIES.values())):
        small = MODELS.build(dict(cfg, type=f'mmregioncl.{cfg["type"]}'))
        for layout in LAYOUTS[1:]:
            with suppress(ValueError):  # without names for such a backbone
                names = to_layout(small.state_dict(), layout)
                found[f"{layout}'s",
                      cfg['type']] = {*map(form, without(NEEDLESS, names))}
    return found


def without(pattern: str, weights: Weights) -> Weights:
    """Weights whose names do not match."""
    return {k: v for k, v in weights.items() if not re.match(pattern, k)}


def form(name: str) -> str:
    """A name without the numbers of stages and blocks."""
    return re.sub(r'(?<!downsample\.)\d+', '', name)


def shortened(names: List[str]) -> str:
    """List the first three names, and how many more there are."""
    rest = len(names) - 3
    return ', '.join(names[:3]) + (f' and {rest} more' if rest > 0 else '')
