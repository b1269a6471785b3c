from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.dist import broadcast
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmregioncl.models.utils.modules import unwrap
from mmregioncl.randomness import kept_draws


@contextmanager
def frozen_evaluation(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluate a model during training without changing it.

    In the context, the model is in eval mode, without gradients, and every
    rank has the batch norm statistics of rank 0, as checkpoints do. On exit,
    modes, statistics and the random states of Python, NumPy and PyTorch are
    restored. All ranks have to enter it.

    Args:
        model (nn.Module): Model of the runner, wrapped or not.

    Yields:
        nn.Module: The model without its distributed wrapper.
    """
    model = unwrap(model)
    modes = {module: module.training for module in model.modules()}
    statistics = [
        value for module in modes if isinstance(module, _BatchNorm)
        for value in (module.running_mean, module.running_var)
        if value is not None
    ]
    own = [value.clone() for value in statistics]
    device = next(model.parameters()).device
    devices = [device] if device.type == 'cuda' else []
    try:
        with kept_draws(), torch.random.fork_rng(devices), torch.no_grad():
            for value in statistics:
                broadcast(value)
            yield model.eval()
    finally:
        for module, mode in modes.items():
            module.training = mode
        with torch.no_grad():
            for value, before in zip(statistics, own):
                value.copy_(before)
