from typing import Dict, List, Optional

import torch
from torch import Tensor, nn

from mmregioncl.registry import MODELS
from ..heads import RegionLatentPredictHead
from ..necks import RegionNonLinearNeck
from ..parents import BYOL, check_momentum, replaced
from ..utils import ForeachCosineEMA, UpdateClock, grid_of
from .symmetric_region_mixin import SymmetricRegionMixin


@MODELS.register_module()
class RegionCLBYOL(SymmetricRegionMixin, BYOL):
    """BYOL with region swapping.

    Canvas and paste pass the online projector and predictor, and predict the
    target network's projection of the other whole view of their image. This
    is the package's definition: RegionCL-S with BYOL's target. The region loss
    is 4 times the mean over regions and views, as BYOL's own loss is over
    views, so that both have the same scale at a weight of 1, as in RegionCL-M.

    Checkpoints load from and into the host's ``BYOL``.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): The parent's, or ``mmregioncl.RegionNonLinearNeck``.
        head (dict): The parent's, or ``mmregioncl.RegionLatentPredictHead``.
        symmetric (bool): Whether composites are made of both views. Defaults
            to True.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        **kwargs: Further arguments of ``BYOL``: base_momentum, pretrained,
            data_preprocessor, init_cfg.
    """
    neck_type = RegionNonLinearNeck
    head_type = RegionLatentPredictHead
    target_net: ForeachCosineEMA

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        check_momentum(self, 'base_momentum',
                       replaced(self.target_net.momentum))
        self.target_net = ForeachCosineEMA(
            nn.Sequential(self.backbone, self.neck),
            momentum=self.target_net.momentum)
        self.clock = UpdateClock()

    @property
    def passes_per_image(self) -> int:
        """Passes of the backbone for an image, a backward pass being two."""
        return super().passes_per_image + 2  # of the target network

    def loss(self,
             inputs: List[Tensor],
             data_samples: Optional[list] = None,
             **kwargs) -> Dict[str, Tensor]:
        """One step of BYOL with regions; updates the target network.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list, optional): Not used.

        Returns:
            dict[str, Tensor]: ``loss_instance`` and ``loss_region``.
        """
        views = self.take_views(inputs)
        maps = [self.backbone(view) for view in views]  # [[(N, C, Hf, Wf)]]
        online = [self.neck(features)[0] for features in maps]  # (N, D)
        with torch.no_grad():
            self.target_net.update_parameters(
                nn.Sequential(self.backbone, self.neck),
                move=self.clock.begins_update)
            self.clock.tick()
            target = [self.target_net(view)[0] for view in views]

        loss_instance = (
            self.head.loss_instance(online[0], target[1]) +
            self.head.loss_instance(online[1], target[0]))
        losses_region = [
            self.head.loss_region(canvas, paste, other)
            for (canvas, paste), other in zip(
                self.region_pairs(views, grid_of(maps[0])), target[::-1])
        ]
        # BYOL's loss is twice the sum over views; mean_region is a mean.
        return dict(
            loss_instance=2 * loss_instance,
            loss_region=4 * self.mean_region(losses_region))
