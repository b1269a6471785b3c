"""Necks that project regions as well as whole views."""
from typing import List, Tuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmregioncl.registry import MODELS
from ..parents import DenseCLNeck, MoCoV2Neck, NonLinearNeck
from ..utils import Region, pool_region


class RegionNeckMixin(BaseModule):
    """Adds :meth:`forward_region` to a neck of the host.

    The neck must begin with a global average pool. A region is pooled over its
    cells, and the global pool leaves the resulting 1x1 map unchanged. No
    parameter is added or renamed.
    """
    with_avg_pool = True  # where a neck has no such setting

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not self.with_avg_pool:
            raise ValueError(f'{type(self).__name__} pools regions: '
                             'with_avg_pool must be True')

    def forward(self, features: List[Tensor]) -> List[Tensor]:
        """Project whole views by the parent's forward.

        Args:
            features (list[Tensor]): One feature map, (N, C, H, W).

        Returns:
            list[Tensor]: What the parent returns.

        Raises:
            ValueError: If there is not exactly one map, of C = in_channels.
        """
        shapes = [tuple(getattr(part, 'shape', ())) for part in features]
        if any(len(shape) != 4 for shape in shapes):
            raise ValueError(
                'the backbone gives something else than feature maps (N, C, H,'
                f' W), of shapes {shapes}: set gap_before_final_norm=False of '
                'a ConvNeXt, output_cls_token=False of a vision transformer of'
                " mmcls, or out_type='featmap' of one of MMPretrain")
        wanted = next(layer.in_features for layer in self.modules()
                      if isinstance(layer, nn.Linear))
        given = [shape[1] for shape in shapes]
        if given != [wanted]:
            raise ValueError(
                f'the backbone returns maps of {given} channels, and the neck '
                f'takes one of {wanted}: set in_channels of the neck, and one '
                'stage in out_indices of the backbone')
        return super().forward(features)

    def forward_region(self, features: List[Tensor],
                       region: Region) -> Tuple[Tensor, Tensor]:
        """Project the canvas and the paste of composites, in one batch.

        Batch norm in the neck, if any, sees canvas and paste together.

        Args:
            features (list[Tensor]): Feature maps of the composites, one
                tensor of shape (N, C, H, W) in a list as backbones give it.
            region (Region): Rectangle in cells.

        Returns:
            tuple[Tensor, Tensor]: Canvas and paste, (N, D) each; row i of
            both belongs to image i.
        """
        pooled = torch.cat(pool_region(features[-1], region))  # (2N, C)
        canvas, paste = self.project_pooled(pooled).chunk(2)  # (N, D) each
        return canvas, paste

    def project_pooled(self, pooled: Tensor) -> Tensor:
        """Project pooled features (N, C) to (N, D)."""
        return self([pooled[..., None, None]])[0]


@MODELS.register_module()
class RegionMoCoV2Neck(RegionNeckMixin, MoCoV2Neck):
    """The neck of MoCo v2, with regions."""


@MODELS.register_module()
class RegionNonLinearNeck(RegionNeckMixin, NonLinearNeck):
    """The neck of SimSiam, BYOL and SimCLR, with regions."""


@MODELS.register_module()
class RegionDenseCLNeck(RegionNeckMixin, DenseCLNeck):
    """The neck of DenseCL, with regions in its global branch."""

    def project_pooled(self, pooled: Tensor) -> Tensor:
        """Project pooled features (N, C) to (N, D)."""
        return self.mlp(pooled)
