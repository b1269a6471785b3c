import re
from typing import List, Sequence

from torch import nn

from mmregioncl.models.utils import faults_of
from .families import SPELLINGS, Weights
from .layouts import apply_rules


def load_backbone(model: nn.Module,
                  weights: Weights,
                  parts: Sequence[str] = ('backbone', ),
                  new: str = r'(?!)') -> int:
    """Load all weights of a backbone into a model, or none.

    Names may be those of the host or of MMDetection's or MMSegmentation's own
    backbone: those that fit best count. Counters of batch norm are neither
    needed nor loaded.

    Args:
        model (nn.Module): The model.
        weights (dict[str, Tensor]): Weights of the backbone, without a prefix.
        parts (Sequence[str]): Modules of the model that form the backbone: a
            C4 detector has the last stage in its head. Defaults to
            ('backbone', ).
        new (str): Regular expression of the weights in these modules that are
            not pre-trained. By default it matches none.

    Returns:
        int: Number of loaded weights.

    Raises:
        ValueError: If a weight is missing, unexpected or of another shape;
            the message names the first of each.
    """
    wanted = {
        name: value
        for part in parts
        for name, value in counterless(model.get_submodule(
            part).state_dict()).items() if not re.match(new, name)
    }
    spellings = [
        counterless(apply_rules(rules, weights)) for rules in SPELLINGS
    ]
    given = min(spellings, key=lambda names: count_faults(wanted, names))
    faults = faults_of(wanted, given)
    if faults:
        lists = '; '.join(f'{len(names)} {fault}: {shortened(names)}'
                          for fault, names in faults.items())
        if not wanted.keys() & given.keys():
            lists = (f'none of its {len(given)} weights, such as '
                     f'{next(iter(given))}, is one of the {len(wanted)} such '
                     f'as {next(iter(wanted))}')
        advice = 'set depth, width, stem and image size as in pre-training'
        if [*faults] == ['missing']:  # such as norms of the first maps
            advice += ', or name weights that are new in new of PretrainedHook'
        raise ValueError(
            f'the pre-trained backbone does not fit {" and ".join(parts)} of '
            f'{type(model).__name__}: {advice} ({lists})')
    for name, value in wanted.items():
        value.copy_(given[name])  # shares the memory of the parameter
    return len(wanted)


def shortened(names: List[str], most: int = 3) -> str:
    """List the first names, and how many more there are."""
    rest = len(names) - most
    return ', '.join(names[:most]) + (f' and {rest} more' if rest > 0 else '')


def count_faults(wanted: Weights, given: Weights) -> int:
    """How many weights are missing, unexpected or of another shape."""
    return sum(map(len, faults_of(wanted, given).values()))


def counterless(weights: Weights) -> Weights:
    """Leave out the counters of batch norm.

    Batch norm with a momentum does not use them, and older checkpoints of
    torchvision have none.
    """
    return {k: v for k, v in weights.items() if 'num_batches_tracked' not in k}
