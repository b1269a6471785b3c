"""Necks that project regions as well as whole views."""
from typing import List, Tuple

import torch
from mmselfsup.models.necks import DenseCLNeck, MoCoV2Neck, NonLinearNeck
from torch import Tensor, nn

from mmregioncl.registry import MODELS
from ..utils import Region, pool_region


class RegionNeckMixin:
    """Adds :meth:`forward_region` to a neck of mmselfsup.

    The neck must begin with a global average pool: a region is pooled by its
    cells, and the pool leaves the resulting 1x1 map as it is. No parameter is
    added or renamed.
    """
    with_avg_pool = True  # where a neck has no such setting

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not self.with_avg_pool:
            raise ValueError(f'{type(self).__name__} pools regions: '
                             'with_avg_pool must be True')

    def forward(self, features: List[Tensor]) -> List[Tensor]:
        """The parent's, after a look at what the backbone gives.

        Args:
            features (list[Tensor]): One feature map, (N, C, H, W).

        Returns:
            list[Tensor]: As of the parent.

        Raises:
            ValueError: If there are several maps, or not of C = in_channels.
        """
        wanted = next(layer.in_features for layer in self.modules()
                      if isinstance(layer, nn.Linear))
        given = [feature.shape[1] for feature in features]
        if given != [wanted]:
            raise ValueError(
                f'the backbone gives maps of {given} channels, and the neck '
                f'takes one of {wanted}: set in_channels of the neck, and one '
                'stage in out_indices of the backbone')
        return super().forward(features)

    def forward_region(self, features: List[Tensor],
                       region: Region) -> Tuple[Tensor, Tensor]:
        """Project the canvas and the paste of composites, in one batch.

        Batch norm, where the neck has some, sees canvas and paste together.

        Args:
            features (list[Tensor]): Feature maps of the composites, one
                tensor of shape (N, C, H, W) in a list as backbones give it.
            region (Region): Rectangle in cells.

        Returns:
            tuple[Tensor, Tensor]: Canvas and paste, (N, D) each; row i of
            both belongs to image i.
        """
        pooled = torch.cat(pool_region(features[-1], region))  # (2N, C)
        return self.project_pooled(pooled).chunk(2)

    def project_pooled(self, pooled: Tensor) -> Tensor:
        """Project pooled features (N, C) to (N, D)."""
        return self([pooled[..., None, None]])[0]


@MODELS.register_module()
class RegionMoCoV2Neck(RegionNeckMixin, MoCoV2Neck):
    """The neck of MoCo v2, for whole views, canvas and paste."""


@MODELS.register_module()
class RegionNonLinearNeck(RegionNeckMixin, NonLinearNeck):
    """The neck of SimSiam, BYOL and SimCLR, likewise."""


@MODELS.register_module()
class RegionDenseCLNeck(RegionNeckMixin, DenseCLNeck):
    """The neck of DenseCL; regions take its global branch alone."""

    def project_pooled(self, pooled: Tensor) -> Tensor:
        """Project pooled features (N, C) to (N, D)."""
        return self.mlp(pooled)
