"""Access to a model and its modules, and copies to its device."""
import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside wrappers such as DistributedDataParallel."""
    return model.get_submodule('module') if is_model_wrapper(model) else model


def get_module(model: nn.Module, name: str) -> nn.Module:
    """Return a submodule by its name in ``named_modules``.

    Args:
        model (nn.Module): A model, wrapped or not.
        name (str): Name of the module, such as 'backbone.layer1'.

    Raises:
        ValueError: If there is no such module.
    """
    model = unwrap(model)
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise ValueError(f'there is no module {name} in the '
                         f'{type(model).__name__}: use a name of '
                         'model.named_modules()') from None


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copy values to a device without blocking the host."""
    if device.type == 'cuda':
        values = values.pin_memory()
    return values.to(device, non_blocking=True)
