from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import nn

from mmregioncl.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Train under bfloat16 autocast on any device, a CPU included.

    MMEngine's AmpOptimWrapper refuses a CPU. bfloat16 has the range of
    float32, so that no loss scale is needed; weights, their gradients, and
    checkpoints stay float32. Processors with AMX or AVX512-BF16 gain speed,
    others lose it.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Also hold back the gradients' reduction while they accumulate."""
        with super().optim_context(model), torch.autocast(
                get_device(), torch.bfloat16):
            yield
