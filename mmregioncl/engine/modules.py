"""Parts of the model of a run."""
from typing import Sequence, Union

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside DistributedDataParallel and the like."""
    return model.module if is_model_wrapper(model) else model


def names_of(modules: Union[str, Sequence[str]]) -> Sequence[str]:
    """Names of modules, of which there may be one."""
    return [modules] if isinstance(modules, str) else modules


def get_module(model: nn.Module, name: str) -> nn.Module:
    """A part by its name, as of ``named_modules``.

    Args:
        model (nn.Module): Wrapped or not.
        name (str): Such as 'backbone.layer1'.

    Raises:
        ValueError: If there is none.
    """
    model = unwrap(model)
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise ValueError(f'there is no module {name} in the '
                         f'{type(model).__name__}: set modules to names of '
                         'model.named_modules()') from None
