from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
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
