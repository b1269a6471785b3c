from typing import Dict, List, Optional, Tuple

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor, nn
from torch.nn import functional as F

from mmregioncl import host
from mmregioncl.validation import check_whole_number
from ..heads import RegionContrastiveHead
from ..utils import (ForeachEMA, UpdateClock, draw_order, enqueue,
                     local_batch_norms, plan_exchange, redistribute,
                     shared_seed)
from .region_swap_mixin import RegionSwapMixin


class MomentumContrastMixin(RegionSwapMixin):
    """What RegionCL-M and -D share: a key encoder and a queue of keys.

    Subclasses define ``project(features, neck)``, which returns a named tuple
    of everything that their losses need of whole views.

    Args:
        *args, **kwargs: Arguments of the parents.
    """
    head_type = RegionContrastiveHead
    encoder_k: ForeachEMA
    order_seed: Optional[int] = None  # of ShuffleBN's permutations

    def __init__(self, *args, **kwargs) -> None:
        for name in {'queue_len', 'feat_dim'} & kwargs.keys():
            kwargs[name] = check_whole_number(name, kwargs[name],
                                              type(self).__name__)
        super().__init__(*args, **kwargs)
        momentum = self.encoder_k.momentum
        share = host.kept(1 - momentum)  # MMEngine's momentum replaces
        host.check_momentum('momentum', share, type(self).__name__)
        self.encoder_k = ForeachEMA(
            nn.Sequential(self.backbone, self.neck), momentum=momentum)
        self.clock = UpdateClock()
        self.waiting_keys: Dict[str, List[Tensor]] = {}

    @property
    def passes_per_image(self) -> int:
        """Backbone passes per image, a backward pass counting as two."""
        return 4 if self.region_share else 7  # of queries, composites, keys

    @torch.no_grad()
    def encode_keys(self, view: Tensor):
        """Update the key encoder, then encode whole views with it.

        Args:
            view (Tensor): Shape (N, 3, H, W).

        Returns:
            NamedTuple: The result of ``project``, without gradient.
        """
        self.encoder_k.update_parameters(
            nn.Sequential(self.backbone, self.neck),
            move=self.clock.begins_update)

        # ShuffleBN (MoCo, Sec. 3.3) mixes the batches of several processes. It
        # has no effect unless batch norm uses the statistics of one process.
        backbone, neck = self.encoder_k.module
        if get_world_size() == 1 or not local_batch_norms(self.encoder_k):
            return self.project(backbone(view), neck)
        if self.order_seed is None:
            self.order_seed = shared_seed()
        order = draw_order(len(view), self.order_seed, self.clock.batch)
        device = view.device
        if torch.is_autocast_enabled(device.type):  # as its first layer would
            view = view.to(torch.get_autocast_dtype(device.type))
        there = plan_exchange(order, device)
        back = plan_exchange(order.argsort(), device)
        keys = self.project(backbone(redistribute(view, there)), neck)
        return type(keys)(*[redistribute(key, back) for key in keys])

    def loss_region(self, view: Tensor, grid: Tuple[int, int],
                    key: Tensor) -> Tensor:
        """Weighted region loss.

        Args:
            view (Tensor): Query views, shape (N, 3, H, W).
            grid (tuple[int, int]): Rows and columns of their feature maps.
            key (Tensor): Normalized keys, shape (N, D).
        """
        canvas, paste = map(F.normalize, self.project_regions(view, grid))
        return self.region_weight * self.head.loss_region(
            canvas, paste, key, self.queue)

    def _dequeue_and_enqueue(self, keys: Tensor) -> None:
        """Write the keys (N, D) of all processes into the queue."""
        self.enqueue_later('queue', keys)

    def enqueue_later(self, name: str, keys: Tensor) -> None:
        """Enqueue the keys of all batches of an update when it ends.

        Args:
            name (str): The queue's buffer; its pointer is ``NAME_ptr``.
            keys (Tensor): Of one batch of this process, shape (N, D).
        """
        waiting = self.waiting_keys.setdefault(name, [])
        waiting.append(keys)
        if self.clock.ends_update:
            enqueue(
                getattr(self, name), getattr(self, f'{name}_ptr'),
                torch.cat(all_gather(torch.cat(waiting))))
            waiting.clear()
