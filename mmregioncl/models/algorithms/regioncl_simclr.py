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
    image is the positive; the views of all other images and the neighbour in
    the composite are negatives. The neighbour gets no gradient, as in
    RegionCL-M, and views do, as in NT-Xent. This is the package's definition:
    both terms have the same negatives and temperature, and the weight is 1 as
    in RegionCL-M.

    Checkpoints load from and into the host's ``SimCLR``.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): The parent's, or ``mmregioncl.RegionNonLinearNeck``.
        head (dict): The parent's, or ``mmregioncl.RegionNTXentHead``.
        symmetric (bool): Whether composites are made of both views. Defaults
            to True.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
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
        both = torch.stack(views, 1).flatten(0, 1)  # (2N, 3, H, W)
        features = self.backbone(both)  # [(2N, C, Hf, Wf)]
        z = F.normalize(self.neck(features)[0])  # (2N, D)
        z = torch.cat(GatherLayer.apply(z))  # of all processes

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
                self.head.loss_region(regions, beside, z, source))

        return dict(
            loss_instance=self.head.loss_instance(z),
            loss_region=self.mean_region(losses_region))
