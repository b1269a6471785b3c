from typing import Dict, List, Optional

import torch
from torch import Tensor, nn

from mmregioncl import host
from ..utils import ForeachCosineEMA, UpdateClock, grid_of
from .symmetric_region_mixin import SymmetricRegionMixin


class MomentumTargetMixin(SymmetricRegionMixin):
    """What RegionCL on BYOL and on MoCo v3 share.

    Views and regions predict how a moving average of backbone and neck
    projects the other whole view.

    Args:
        *args, **kwargs: Arguments of the parents.
    """
    average_name: str  # the parent's attribute
    # The parent's loss is this many times the sum over both views.
    loss_scale: float

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        momentum = self.average.momentum
        host.check_momentum('base_momentum', momentum, type(self).__name__)
        setattr(
            self, self.average_name,
            ForeachCosineEMA(
                nn.Sequential(self.backbone, self.neck), momentum=momentum))
        self.clock = UpdateClock()

    @property
    def average(self) -> ForeachCosineEMA:
        """The moving average of backbone and neck."""
        return getattr(self, self.average_name)

    @property
    def passes_per_image(self) -> int:
        """Backbone passes per image, a backward pass counting as two."""
        return super().passes_per_image + 2  # of the moving average

    def loss(self,
             inputs: List[Tensor],
             data_samples: Optional[list] = None,
             **kwargs) -> Dict[str, Tensor]:
        """One step of the parent with regions; updates the moving average.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list, optional): Not used.

        Returns:
            dict[str, Tensor]: ``loss_instance`` and ``loss_region``.
        """
        views = self.take_views(inputs)
        _, whole = self.split(len(views[0]))
        features = [self.backbone(views[0][whole]), self.backbone(views[1])]
        # (U, D) and (N, D)
        online = [self.neck(output)[0] for output in features]
        with torch.no_grad():
            self.average.update_parameters(
                nn.Sequential(self.backbone, self.neck),
                move=self.clock.begins_update)
            self.clock.tick()
            target = [self.average(view)[0] for view in views]

        loss_instance = (
            self.head.loss_instance(online[0], target[1][whole]) +
            self.head.loss_instance(online[1], target[0]))
        losses_region = [
            self.head.loss_region(canvas, paste, other)
            for (canvas, paste), other in zip(
                self.region_pairs(views, grid_of(features[0])), target[::-1])
        ]
        # The sum over views is twice the mean, which mean_region is.
        return dict(
            loss_instance=self.loss_scale * loss_instance,
            loss_region=2 * self.loss_scale * self.mean_region(losses_region))
