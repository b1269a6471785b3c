"""Necks that project regions as well as whole views."""
from typing import List, Sequence, Tuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmregioncl.registry import MODELS
from ..parents import ONE_STAGE, DenseCLNeck, MoCoV2Neck, NonLinearNeck
from ..utils import Region, feature_map, image_features, pool_region
from ..utils.outputs import ANOTHER, NO_MAP, split_outputs


class RegionNeckMixin(BaseModule):
    """Adds :meth:`forward_region` to a neck of the host.

    The neck begins with a global average pool, or accepts vectors. A region is
    pooled over its cells, and the global pool leaves the resulting 1x1 map
    unchanged. No parameter is added or renamed.
    """
    with_avg_pool = True  # for necks without this setting
    takes_tokens = False
    # The algorithm knows the backbone and sets more specific advice.
    map_advice = ANOTHER
    stage_advice = ONE_STAGE

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not self.with_avg_pool and not self.takes_tokens:
            raise ValueError(f'{type(self).__name__} pools regions: '
                             'with_avg_pool must be True')

    def forward(self, features: List[Tensor]) -> List[Tensor]:
        """Project whole views by the parent's forward.

        Args:
            features (list[Tensor]): One feature map, (N, C, H, W).

        Returns:
            list[Tensor]: What the parent returns.
        """
        return super().forward(self.parent_input(features))

    def parent_input(self, features: List) -> List:
        """Convert the outputs of a backbone for the parent's forward.

        Args:
            features (list[Tensor]): One feature map, (N, C, H, W).

        Returns:
            list[Tensor]: The same.

        Raises:
            ValueError: If there is not exactly one map, of C = in_channels.
        """
        shapes = [tuple(getattr(part, 'shape', ())) for part in features]
        if any(len(shape) != 4 for shape in shapes):
            raise ValueError(NO_MAP.format(shapes, self.map_advice))
        self.check_channels(features)
        return features

    def check_channels(self, features: Sequence) -> None:
        """Check that the outputs of a backbone fit the first layer.

        Args:
            features (Sequence): Outputs of a backbone.

        Raises:
            ValueError: If there is not exactly one, of in_channels.
        """
        wanted = next(layer.in_features for layer in self.modules()
                      if isinstance(layer, nn.Linear))
        shapes = [tuple(split_outputs([part])[0].shape) for part in features]
        if all(shape[-1] == wanted != shape[1] for shape in shapes):
            raise ValueError(
                f'the backbone returns maps (N, H, W, C), of shapes {shapes}, '
                'but the neck expects (N, C, H, W): use SwinTransformer of '
                'mmcls or MMPretrain instead of one of timm')
        given = [shape[1] for shape in shapes]
        if given != [wanted]:
            stage = f', and {self.stage_advice}' if len(given) > 1 else ''
            raise ValueError(
                f'the backbone returns maps of {given} channels, but the neck '
                f'expects one map of {wanted}: set in_channels of the neck'
                f'{stage}')

    def forward_region(self, features: List[Tensor],
                       region: Region) -> Tuple[Tensor, Tensor]:
        """Project the canvas and the paste of composites, in one batch.

        Batch norm in the neck, if any, sees canvas and paste together.

        Args:
            features (list): Outputs of the backbone for the composites,
                usually one map of shape (N, C, H, W).
            region (Region): Rectangle in cells.

        Returns:
            tuple[Tensor, Tensor]: Canvas and paste, (N, D) each; row i of
            both belongs to image i.
        """
        pooled = pool_region(feature_map(features), region)  # (N, C) each
        canvas, paste = self.project_pooled(torch.cat(pooled)).chunk(2)
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
class RegionMoCoV3Neck(RegionNeckMixin, NonLinearNeck):
    """The neck of MoCo v3, with regions.

    Whole views are projected from their class token, as in MoCo v3, if the
    backbone has one, or from the mean of their feature map. Regions have no
    class token: they are projected from the mean of their cells.
    """
    takes_tokens = True

    def parent_input(self, features: List) -> List:
        """The vectors of whole views.

        Args:
            features (list): One output of a backbone, as
                :func:`image_features` accepts it.

        Returns:
            list: A vector (N, C), or a map (N, C, 1, 1) if the parent pools.
        """
        self.check_channels(features)
        vector = image_features(features)  # (N, C)
        if self.with_avg_pool:
            vector = vector[..., None, None]  # (N, C, 1, 1)
        # MMSelfSup's neck uses the last of a map and a class token.
        pair = getattr(self, 'vit_backbone', False)
        return [[vector] if pair else vector]


@MODELS.register_module()
class RegionDenseCLNeck(RegionNeckMixin, DenseCLNeck):
    """The neck of DenseCL, with regions in its global branch."""

    def project_pooled(self, pooled: Tensor) -> Tensor:
        """Project pooled features (N, C) to (N, D)."""
        return self.mlp(pooled)
