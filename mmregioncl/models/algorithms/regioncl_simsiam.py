from typing import Dict, List, Optional

from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmregioncl.registry import MODELS
from ..heads import RegionLatentPredictHead
from ..necks import RegionNonLinearNeck
from ..parents import SimSiam
from ..utils import grid_of
from .symmetric_region_mixin import SymmetricRegionMixin


@MODELS.register_module()
class RegionCLSimSiam(SymmetricRegionMixin, SimSiam):
    """RegionCL-S: SimSiam with region swapping.

    Canvas and paste pass projector and predictor, and predict the projection
    of the other whole view of their image. This is the package's definition:
    the authors report results of the method, but released no code. SimSiam has
    no negatives, so regions have none either. The weight of 1 and the mean
    over both regions follow RegionCL-M.

    Checkpoints load from and into the host's ``SimSiam``.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): The parent's, or ``mmregioncl.RegionNonLinearNeck``.
        head (dict): The parent's, or ``mmregioncl.RegionLatentPredictHead``.
        symmetric (bool, optional): Whether composites are made of both views.
            Defaults to None: they are, unless region_share is set.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        region_share (float, optional): Share of images shown only as
            composites. Defaults to None: all are shown both ways.
        **kwargs: Further arguments of ``SimSiam``: pretrained,
            data_preprocessor, init_cfg.
    """
    neck_type = RegionNonLinearNeck
    head_type = RegionLatentPredictHead

    @property
    def least_whole(self) -> int:
        """Smallest batch for which batch norm keeps images distinct.

        The projector ends in batch norm, which turns any two rows into plus
        and minus one.
        """
        synced = any(
            isinstance(module, nn.SyncBatchNorm)
            for module in self.neck.modules())
        return max(2, 4 // get_world_size()) if synced else 4

    def loss(self,
             inputs: List[Tensor],
             data_samples: Optional[list] = None,
             **kwargs) -> Dict[str, Tensor]:
        """One step of RegionCL-S.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list, optional): Not used.

        Returns:
            dict[str, Tensor]: ``loss_instance`` and ``loss_region``.
        """
        views = self.take_views(inputs)
        _, whole = self.split(len(views[0]))
        maps = [self.backbone(views[0][whole]), self.backbone(views[1])]
        z1, z2 = (self.neck(features)[0]
                  for features in maps)  # (U, D), (N, D)

        loss_instance = (self.head.loss_instance(z1, z2[whole]) +
                         self.head.loss_instance(z2[whole], z1)) / 2
        losses_region = [
            self.head.loss_region(canvas, paste, target)
            for (canvas, paste), target in zip(
                self.region_pairs(views, grid_of(maps[0])), (z2, z1))
        ]
        return dict(
            loss_instance=loss_instance,
            loss_region=self.mean_region(losses_region))
