from typing import Dict, List, NamedTuple, Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmregioncl.registry import MODELS
from ..necks import RegionDenseCLNeck
from ..parents import DenseCL
from ..utils import grid_of
from .momentum_contrast_mixin import MomentumContrastMixin


class DenseProjection(NamedTuple):
    """What DenseCL's losses need of whole views; S cells per feature map."""
    vector: Tensor  # (N, D), normalized
    grid: Tensor  # (N, D, S), normalized
    grid_mean: Tensor  # (N, D), normalized
    features: Tensor  # (N, C, S), of the backbone, in its precision


@MODELS.register_module()
class RegionCLDenseCL(MomentumContrastMixin, DenseCL):
    """RegionCL-D: DenseCL with region swapping.

    DenseCL is unchanged; composites are not in its dense loss. The region
    loss of RegionCL-M, computed with the global branch of the neck, the global
    key and the global queue, is added to it with a weight of 1, as in M. This
    is the package's definition: the authors report results of the method, but
    released neither code nor weights. The only published re-implementation
    (CoinCheung/DenseCL) uses the same weights.

    Checkpoints load from and into the host's ``DenseCL``.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): The parent's, or ``mmregioncl.RegionDenseCLNeck``.
        head (dict): The parent's, or ``mmregioncl.RegionContrastiveHead``.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        region_share (float, optional): Share of images shown only as
            composites. Defaults to None: all are shown both ways.
        **kwargs: Further arguments of ``DenseCL``: queue_len, feat_dim,
            momentum, loss_lambda, pretrained, data_preprocessor, init_cfg.
    """
    neck_type = RegionDenseCLNeck

    def loss(self,
             inputs: List[Tensor],
             data_samples: Optional[list] = None,
             **kwargs) -> Dict[str, Tensor]:
        """One step of RegionCL-D; updates the key encoder and both queues.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list, optional): Not used.

        Returns:
            dict[str, Tensor]: ``loss_single``, ``loss_dense`` and
            ``loss_region``.
        """
        view_q, view_k = self.take_views(inputs)
        key = self.encode_keys(view_k)
        mixed, whole = self.split(len(view_q))
        features = self.backbone(view_q[whole])  # [(U, C, Hf, Wf)]
        query = self.project(features, self.neck)
        positive = DenseProjection(*(part[whole] for part in key))

        loss_single = self.head.loss_instance(query.vector, positive.vector,
                                              self.queue)
        cells = query.grid.transpose(1, 2).flatten(0, 1)  # (U x S, D)
        loss_dense = self.head.loss_instance(cells,
                                             match_cells(query, positive),
                                             self.queue2)
        losses = dict(
            loss_single=(1 - self.loss_lambda) * loss_single,
            loss_dense=self.loss_lambda * loss_dense,
            loss_region=self.loss_region(view_q[mixed], grid_of(features),
                                         key.vector))

        self._dequeue_and_enqueue(key.vector)
        self._dequeue_and_enqueue2(key.grid_mean)
        self.clock.tick()
        return losses

    @staticmethod
    def project(features: List[Tensor], neck: nn.Module) -> DenseProjection:
        """Projections of feature maps, [(N, C, Hf, Wf)], and the maps."""
        vector, grid, grid_mean = neck(features)
        cells = features[-1].flatten(2)  # (N, C, S)
        if grid.shape[2] != cells.shape[2]:
            raise ValueError(
                f'the dense grid has {grid.shape[2]} cells, but the feature '
                f'map has {cells.shape[2]}: set num_grid=None of the neck')
        return DenseProjection(
            F.normalize(vector), F.normalize(grid), F.normalize(grid_mean),
            cells)

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
