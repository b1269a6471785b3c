"""Optimizers and schedulers of a run."""
from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from mmregioncl.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Train with bfloat16 autocast on any device, including CPUs.

    MMEngine's AmpOptimWrapper does not support CPUs. bfloat16 has the range of
    float32, so no loss scale is needed. Weights, their gradients and
    checkpoints stay float32. CPUs with AMX or AVX512-BF16 become faster,
    others many times slower.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, and skip the gradient reduction while accumulating."""
        with super().optim_context(model), torch.autocast(
                get_device(), torch.bfloat16):
            yield


def plateaus(runner) -> list:
    """Return the schedulers that monitor a metric."""
    return [
        part for part in all_schedulers(runner)
        if getattr(part, 'need_val_args', False)
    ]


def all_schedulers(runner) -> list:
    """Return the schedulers of all optimizers."""
    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, dict):  # by optimizer
        schedulers = sum(schedulers.values(), [])
    return schedulers


def parts_of(wrapper) -> list:
    """Return the wrapper of each optimizer, none before they are built."""
    if isinstance(wrapper, OptimWrapperDict):
        return [*wrapper.values()]
    return [wrapper] if isinstance(wrapper, OptimWrapper) else []
