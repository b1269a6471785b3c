import re
from typing import Sequence

from torch import nn

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
    # Batch norm with a momentum does not read its counter, which torchvision's
    # older checkpoints and all of detectron2's lack.
    wanted = {
        name: value
        for part in parts
        for name, value in model.get_submodule(part).state_dict().items()
        if not re.match(new, name) and 'num_batches_tracked' not in name
    }
    given = {
        name: value
        for name, value in weights.items() if 'num_batches_tracked' not in name
    }
    faults = dict(
        missing=wanted.keys() - given.keys(),
        unexpected=given.keys() - wanted.keys(),
        misshapen={
            name
            for name in wanted.keys() & given.keys()
            if wanted[name].shape != given[name].shape
        })
    if any(faults.values()):
        lists = '; '.join(f'{len(names)} {fault}: {", ".join(sorted(names))}'
                          for fault, names in faults.items() if names)
        raise ValueError(
            f'the pre-trained backbone does not fit {" and ".join(parts)} of '
            f'{type(model).__name__}: set the depth, width and stem that it '
            f'was pre-trained with ({lists})')
    for name, value in wanted.items():
        value.copy_(given[name])  # shares the memory of the parameter
    return len(wanted)
