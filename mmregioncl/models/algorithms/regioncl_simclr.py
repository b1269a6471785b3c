from typing import Dict, List, Optional

import torch
from mmselfsup.models.algorithms import SimCLR
from mmselfsup.models.utils import GatherLayer
from torch import Tensor
from torch.nn import functional as F

from mmregioncl.registry import MODELS
from ..heads import RegionNTXentHead
from ..necks import RegionNonLinearNeck
from .symmetric_region_mixin import SymmetricRegionMixin


@MODELS.register_module()
class RegionCLSimCLR(SymmetricRegionMixin, SimCLR):
    """SimCLR with region swapping.

    Canvas and paste take the place of their view in NT-Xent: they are drawn to
    the other view of their image, and pushed from the views of all other
    images and from their neighbour in the composite. The neighbour gets no
    gradient, as in RegionCL-M; views do, as in NT-Xent. This package's
    definition: both terms then have the same negatives and temperature, and a
    weight of 1 as in RegionCL-M.

    Checkpoints of mmselfsup's ``SimCLR`` fit both ways.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): ``mmregioncl.RegionNonLinearNeck``.
        head (dict): ``mmregioncl.RegionNTXentHead``.
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
        z = F.normalize(self.neck(self.backbone(both))[0])  # (2N, D)
        z = torch.cat(GatherLayer.apply(z))  # of all processes

        losses_region = []
        for source, pair in enumerate(self.region_pairs(views)):
            regions = F.normalize(torch.stack(pair), dim=2)  # (2, N, D)
            # Canvas i holds the paste of image N-1-i, and the other way round.
            neighbours = regions.detach().flip(0, 1)  # (2, N, D)
            regions, neighbours = (
                torch.cat(GatherLayer.apply(part), dim=1)
                for part in (regions, neighbours))
            losses_region.append(
                self.head.loss_region(regions, neighbours, z, source))

        return dict(
            loss_instance=self.head.loss_instance(z),
            loss_region=self.mean_region(losses_region))
