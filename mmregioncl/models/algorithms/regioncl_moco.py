from typing import Dict, List, Optional

import torch
from mmengine.dist import get_world_size
from mmselfsup.models.algorithms import MoCo
from mmselfsup.utils import (batch_shuffle_ddp, batch_unshuffle_ddp,
                             concat_all_gather)
from torch import Tensor, nn
from torch.nn import functional as F

from mmregioncl.registry import MODELS
from ..utils import ForeachEMA, enqueue
from .region_swap_mixin import RegionSwapMixin


@MODELS.register_module()
class RegionCLMoCo(RegionSwapMixin, MoCo):
    """RegionCL-M: MoCo v2 with region swapping.

    `RegionCL: Exploring Contrastive Region Pairs for Self-supervised
    Representation Learning <https://arxiv.org/abs/2111.12309>`_.

    Parameters, buffers and their names are those of mmselfsup's ``MoCo``, so
    that checkpoints fit both ways.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): ``mmregioncl.RegionMoCoV2Neck``.
        head (dict): ``mmregioncl.RegionContrastiveHead``.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        **kwargs: Further arguments of ``MoCo``: queue_len, feat_dim,
            momentum, pretrained, data_preprocessor, init_cfg.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.encoder_k = ForeachEMA(
            nn.Sequential(self.backbone, self.neck),
            momentum=self.encoder_k.momentum)

    def loss(self,
             inputs: List[Tensor],
             data_samples: Optional[list] = None,
             **kwargs) -> Dict[str, Tensor]:
        """One step of Algorithm RegionCL-M; updates key encoder and queue.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list, optional): Not used.

        Returns:
            dict[str, Tensor]: ``loss_instance`` and ``loss_region``.
        """
        if len(inputs) != 2:
            raise ValueError(f'RegionCLMoCo takes two views, not {len(inputs)}'
                             ': set num_views=2 of MultiView')
        view_q, view_k = inputs
        # Keys first: what their forward pass takes is free again before the
        # graphs of the queries are built.
        key = self.encode_keys(view_k)  # (N, D)
        query = self.project(view_q)  # (N, D)
        canvas, paste = self.project_regions(view_q)  # (N, D) each

        loss_instance = self.head.loss_instance(query, key, self.queue)
        loss_region = self.head.loss_region(canvas, paste, key, self.queue)

        self._dequeue_and_enqueue(key)
        return dict(
            loss_instance=loss_instance,
            loss_region=self.region_weight * loss_region)

    def project(self, view: Tensor) -> Tensor:
        """Normalised projections (N, D) of whole views (N, 3, H, W)."""
        return F.normalize(self.neck(self.backbone(view))[0], dim=1)

    @torch.no_grad()
    def encode_keys(self, view: Tensor) -> Tensor:
        """Update the key encoder, then encode whole views with it.

        Args:
            view (Tensor): Shape (N, 3, H, W).

        Returns:
            Tensor: Normalised keys of shape (N, D), without gradient.
        """
        self.encoder_k.update_parameters(
            nn.Sequential(self.backbone, self.neck))

        # ShuffleBN (MoCo, Sec. 3.3) mixes the batches of several processes;
        # within one it would leave all statistics as they are.
        if get_world_size() == 1:
            return F.normalize(self.encoder_k(view)[0], dim=1)
        view, order = batch_shuffle_ddp(view)
        key = F.normalize(self.encoder_k(view)[0], dim=1)
        return batch_unshuffle_ddp(key, order)

    def _dequeue_and_enqueue(self, keys: Tensor) -> None:
        """Write the keys (N, D) of all processes into the queue."""
        enqueue(self.queue, self.queue_ptr, concat_all_gather(keys))
