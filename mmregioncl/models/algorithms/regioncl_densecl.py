from typing import Dict, List, NamedTuple, Optional

import torch
from mmselfsup.models.algorithms import DenseCL
from torch import Tensor, nn
from torch.nn import functional as F

from mmregioncl.registry import MODELS
from ..necks import RegionDenseCLNeck
from .momentum_contrast_mixin import MomentumContrastMixin


class DenseProjection(NamedTuple):
    """What DenseCL takes of whole views; S cells to a map."""
    vector: Tensor  # (N, D), as the next two normalised
    grid: Tensor  # (N, D, S)
    grid_mean: Tensor  # (N, D)
    features: Tensor  # (N, C, S), of the backbone, in its precision


@MODELS.register_module()
class RegionCLDenseCL(MomentumContrastMixin, DenseCL):
    """RegionCL-D: DenseCL with region swapping.

    All of DenseCL stays as it is; composites take no part in its dense loss.
    The region loss is that of RegionCL-M, with the global branch of the neck,
    the global key and the global queue, and is added with weight 1, that of M,
    to 0.5 single and 0.5 dense. This package's definition: the authors name
    the method and its results, and released neither code nor weights; the one
    variant that has published results (CoinCheung/DenseCL) weighs it so.

    Checkpoints of mmselfsup's ``DenseCL`` fit both ways.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): ``mmregioncl.RegionDenseCLNeck``.
        head (dict): ``mmregioncl.RegionContrastiveHead``.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        shuffle_bn (str): What several processes send for ShuffleBN, see
            ``MomentumContrastMixin``. Defaults to 'statistics': with 'images'
            the backbone's map, by which cells are matched, comes back as well.
        **kwargs: Further arguments of ``DenseCL``: queue_len, feat_dim,
            momentum, loss_lambda, pretrained, data_preprocessor, init_cfg.
    """
    neck_type = RegionDenseCLNeck

    def __init__(self,
                 *args,
                 shuffle_bn: str = 'statistics',
                 **kwargs) -> None:
        super().__init__(*args, shuffle_bn=shuffle_bn, **kwargs)

    def loss(self,
             inputs: List[Tensor],
             data_samples: Optional[list] = None,
             **kwargs) -> Dict[str, Tensor]:
        """One step of RegionCL-D; updates key encoder and both queues.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list, optional): Not used.

        Returns:
            dict[str, Tensor]: ``loss_single``, ``loss_dense`` and
            ``loss_region``.
        """
        view_q, view_k = self.take_views(inputs)
        key = self.encode_keys(view_k)
        query = self.project(view_q, self.backbone, self.neck)

        loss_single = self.head.loss_instance(query.vector, key.vector,
                                              self.queue)
        cells = query.grid.transpose(1, 2).flatten(0, 1)  # (N x S, D)
        loss_dense = self.head.loss_instance(cells, match_cells(query, key),
                                             self.queue2)
        losses = dict(
            loss_single=(1 - self.loss_lambda) * loss_single,
            loss_dense=self.loss_lambda * loss_dense,
            loss_region=self.loss_region(view_q, key.vector))

        self._dequeue_and_enqueue(key.vector)
        self._dequeue_and_enqueue2(key.grid_mean)
        return losses

    @staticmethod
    def project(view: Tensor, backbone: nn.Module,
                neck: nn.Module) -> DenseProjection:
        """Projections and features of whole views (N, 3, H, W)."""
        features = backbone(view)  # [(N, C, Hf, Wf)]
        vector, grid, grid_mean = neck(features)
        features = features[-1].flatten(2)  # (N, C, S)
        if grid.shape[2] != features.shape[2]:
            raise ValueError(
                f'the dense grid has {grid.shape[2]} cells and the feature map'
                f' {features.shape[2]}, which cannot be matched: set num_grid='
                'None of the neck')
        return DenseProjection(*map(F.normalize, (vector, grid, grid_mean)),
                               features)

    def _dequeue_and_enqueue2(self, keys: Tensor) -> None:
        """Write the mean cells (N, D) of all processes into the queue."""
        self.enqueue_later('queue2', keys)


@torch.no_grad()
def match_cells(query: DenseProjection, key: DenseProjection) -> Tensor:
    """The positive of each query cell: the key cell with the nearest feature.

    DenseCL, Sec. 3.3 (https://arxiv.org/abs/2011.09157).

    Returns:
        Tensor: Dense keys (N x S, D), in the order of images and query cells.
    """
    query_cells, key_cells = map(F.normalize, (query.features, key.features))
    similarity = query_cells.transpose(1, 2) @ key_cells  # (N, S, S)
    nearest = similarity.max(2).indices[:, None]  # (N, 1, S)
    positives = key.grid.take_along_dim(nearest, 2)  # (N, D, S)
    return positives.transpose(1, 2).flatten(0, 1)
