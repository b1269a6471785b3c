from typing import Dict, List, Optional

import torch
from torch import Tensor
from torch.nn import functional as F

from mmregioncl.registry import MODELS
from ..heads import RegionNTXentHead
from ..necks import RegionNonLinearNeck
from ..parents import GatherLayer, SimCLR
from ..utils import grid_of, neighbours
from .symmetric_region_mixin import SymmetricRegionMixin


@MODELS.register_module()
class RegionCLSimCLR(SymmetricRegionMixin, SimCLR):
    """SimCLR with region swapping.

    Canvas and paste replace their view in NT-Xent: the other view of their
    image is the positive; the views of all other images and the neighbor in
    the composite are negatives. The neighbor gets no gradient, as in
    RegionCL-M, and views do, as in NT-Xent. This is the package's definition:
    both terms have the same negatives and temperature, and the weight is 1 as
    in RegionCL-M.

    Checkpoints load from and into the host's ``SimCLR``.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): The parent's, or ``mmregioncl.RegionNonLinearNeck``.
        head (dict): The parent's, or ``mmregioncl.RegionNTXentHead``.
        symmetric (bool, optional): Whether composites are made of both views.
            Defaults to None: they are, unless region_share is set.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        region_share (float, optional): Share of images shown only as
            composites. Defaults to None: all are shown both ways.
        **kwargs: Further arguments of ``SimCLR``: pretrained,
            data_preprocessor, init_cfg.
    """
    neck_type = RegionNonLinearNeck
    head_type = RegionNTXentHead

    def loss(self,
             inputs: List[Tensor],
             data_samples: Optional[list] = None,
             **kwargs) -> Dict[str, Tensor]:
        """One step of SimCLR with regions.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list, optional): Not used.

        Returns:
            dict[str, Tensor]: ``loss_instance`` and ``loss_region``.
        """
        views = self.take_views(inputs)
        _, whole = self.split(len(views[0]))
        shown = torch.cat((views[0][whole], views[1]))  # (U + N, 3, H, W)
        features = self.backbone(shown)  # [(U + N, C, Hf, Wf)]
        z = F.normalize(self.neck(features)[0])  # (U + N, D)
        z1, z2 = z.tensor_split([len(z) - len(views[1])])
        both = torch.stack((z1, z2[whole]), 1)  # (U, 2, D)
        both = torch.cat(GatherLayer.apply(both))  # of all processes
        others = both
        if self.region_share:  # a mixed image has no whole first view
            others = torch.cat(GatherLayer.apply(z2))[:, None]  # (N, 1, D)

        losses_region = []
        pairs = self.region_pairs(views, grid_of(features))
        for source, (canvas, paste) in enumerate(pairs):
            regions = torch.stack((canvas, paste))  # (2, N, D)
            regions = F.normalize(regions, dim=2)
            beside = neighbours(*regions).view_as(regions)  # (2, N, D)
            regions, beside = (
                torch.cat(GatherLayer.apply(part), dim=1)
                for part in (regions, beside))
            losses_region.append(
                self.head.loss_region(regions, beside, others, source))

        return dict(
            loss_instance=self.head.loss_instance(both.flatten(0, 1)),
            loss_region=self.mean_region(losses_region))
