"""Moving averages of all weights in a few kernels."""
from math import cos, pi
from typing import List, Optional

import torch
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage
from torch import Tensor, nn

from ..parents import CosineEMA, replaced


class ForeachEMA(ExponentialMovingAverage):
    """MMEngine's moving average, updated with ``torch._foreach``.

    Results and state-dict keys are the same as the parent's. All parameters
    are updated in one call instead of a Python loop. Steps are counted on the
    host as well, where the parent reads them from the device twice per step.

    Attributes:
        count (int, optional): Steps, if known on the host; None if they have
            to be read from the device.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.update_buffers:
            raise ValueError('ForeachEMA copies buffers and does not average '
                             'them: leave update_buffers=False')
        self.count: Optional[int] = None

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self.count = None  # read the loaded `steps` again

    def share(self, steps: int) -> float:
        """Weight of the model in the average after some steps."""
        return self.momentum

    @torch.no_grad()
    def update_parameters(self, model: nn.Module, move: bool = True) -> None:
        """Update the average with `model`; the first call copies it.

        Buffers are copied in any case, and the step is counted.

        Args:
            model (nn.Module): A model of the same structure.
            move (bool): Whether the average is updated, which is right only
                if the model has changed. Defaults to True.
        """
        if self.count is None:
            self.count = int(self.steps)

        average: List[Tensor] = list(self.module.parameters())
        source: List[Tensor] = list(model.parameters())
        if self.count == 0:
            torch._foreach_copy_(average, source)
        elif move and self.count % self.interval == 0:
            torch._foreach_lerp_(average, source, self.share(self.count))
        buffers = list(self.module.buffers())
        if buffers:  # foreach refuses empty lists
            torch._foreach_copy_(buffers, list(model.buffers()))
        self.steps += 1
        self.count += 1


class ForeachCosineEMA(ForeachEMA, CosineEMA):
    """``CosineEMA`` of the host, the average of BYOL, with foreach."""

    def share(self, steps: int) -> float:
        """Follow a cosine, like the parent.

        After ``max_iters`` it stays at its final value; the parent's would
        rise again.
        """
        total = MessageHub.get_current_instance().get_info('max_iters')
        rest = (1 + cos(pi * min(steps / total, 1))) / 2
        start, end = replaced(self.momentum), replaced(self.end_momentum)
        return end + rest * (start - end)
