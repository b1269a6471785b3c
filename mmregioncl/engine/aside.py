import random
from contextlib import contextmanager
from typing import Iterator

import numpy as np
import torch
from mmengine.dist import broadcast
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .modules import unwrap


@contextmanager
def aside(model: nn.Module) -> Iterator[nn.Module]:
    """Look at a model in the middle of its training and leave no trace.

    Gives the model without its distributed wrapper, in eval mode, without
    gradients, and on every rank with the batch norm statistics of rank 0,
    which are those of checkpoints. Afterwards the modes, each rank's own
    statistics, and the random streams of Python, NumPy and PyTorch are what
    they were. All ranks have to call it.

    Args:
        model (nn.Module): As the runner holds it.
    """
    model = unwrap(model)
    modes = {module: module.training for module in model.modules()}
    statistics = [
        value for module in modes if isinstance(module, _BatchNorm)
        for value in (module.running_mean, module.running_var)
        if value is not None
    ]
    own = [value.clone() for value in statistics]
    streams = random.getstate(), np.random.get_state()
    device = next(model.parameters()).device
    devices = [device] if device.type == 'cuda' else []
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            for value in statistics:
                broadcast(value)
            yield model.eval()
    finally:
        for module, mode in modes.items():
            module.training = mode
        with torch.no_grad():
            for value, before in zip(statistics, own):
                value.copy_(before)
        random.setstate(streams[0])
        np.random.set_state(streams[1])
