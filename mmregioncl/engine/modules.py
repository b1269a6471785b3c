"""Parts of the model of a run."""
from operator import attrgetter
from typing import Optional

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside DistributedDataParallel and the like."""
    return model.module if is_model_wrapper(model) else model


def find_module(model: nn.Module, name: str) -> Optional[nn.Module]:
    """A part by its dotted name, as of ``named_modules``; None if missing.

    Args:
        model (nn.Module): Wrapped or not.
        name (str): Such as 'backbone.layer1'.
    """
    try:
        return attrgetter(name)(unwrap(model))
    except AttributeError:
        return None


def no_module(hook: object, model: nn.Module, name: str) -> ValueError:
    """What to raise for a name that the model does not have."""
    return ValueError(
        f'{type(hook).__name__} finds no {name} in the '
        f'{type(unwrap(model)).__name__}: set modules to names of '
        'model.named_modules()')
