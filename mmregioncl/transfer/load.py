import re
from typing import Sequence

from torch import nn

from mmregioncl.models.utils import faults_of
from .convert import Weights


def load_backbone(model: nn.Module,
                  weights: Weights,
                  parts: Sequence[str] = ('backbone', ),
                  new: str = r'(?!)') -> int:
    """Load a pre-trained backbone into a detector or segmenter, all of it.

    Args:
        model (nn.Module): The model.
        weights (dict[str, Tensor]): Of the backbone, without a prefix.
        parts (Sequence[str]): The modules that together are the backbone: a
            detector on C4 has the last stage in its head. Defaults to
            ('backbone', ).
        new (str): Regular expression of the parts' weights that no
            pre-training gives. Defaults to one that fits none.

    Returns:
        int: How many weights were loaded.

    Raises:
        ValueError: If a weight is missing, unexpected or of another shape;
            with all their names. Nothing is loaded then.
    """
    wanted = {
        name: value
        for part in parts
        for name, value in counterless(model.get_submodule(
            part).state_dict()).items() if not re.match(new, name)
    }
    given = counterless(weights)
    faults = faults_of(wanted, given)
    if faults:
        lists = '; '.join(f'{len(names)} {fault}: {", ".join(names)}'
                          for fault, names in faults.items())
        raise ValueError(
            f'the pre-trained backbone does not fit {" and ".join(parts)} of '
            f'{type(model).__name__}: set the depth, width and stem that it '
            f'was pre-trained with ({lists})')
    for name, value in wanted.items():
        value.copy_(given[name])  # shares the memory of the parameter
    return len(wanted)


def counterless(weights: Weights) -> Weights:
    """Weights without the counters of batch norm.

    It does not read them if it has a momentum, and torchvision's older
    checkpoints have none.
    """
    return {k: v for k, v in weights.items() if 'num_batches_tracked' not in k}
