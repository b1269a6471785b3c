from typing import Dict, List, Optional, Tuple

import torch
from mmengine.dist import get_world_size
from mmselfsup.utils import concat_all_gather
from torch import Tensor, nn
from torch.nn import functional as F

from ..heads import RegionContrastiveHead
from ..utils import (ForeachEMA, ShuffledBatchNorm, draw_order, enqueue,
                     in_groups, local_batch_norms, plan_exchange, plan_groups,
                     redistribute, shared_generator)
from .region_swap_mixin import RegionSwapMixin


class MomentumContrastMixin(RegionSwapMixin):
    """What RegionCL-M and -D share: a key encoder and a queue of its keys.

    Each adds ``project(view, backbone, neck)``: a named tuple of all that it
    takes of whole views (N, 3, H, W).

    Args:
        shuffle_bn (str): What several processes send for ShuffleBN (MoCo, Sec.
            3.3): 'images', to where they are encoded, and what is made of them
            back; or 'statistics' of batch norm, which do not grow with the
            batch, but are sent by each layer. Both give the same keys, but
            for rounding. Where the encoder has batch norm of other classes
            than PyTorch's, images are sent.
        **kwargs: Arguments of the parents.
    """
    head_type = RegionContrastiveHead
    batches_to_enqueue = 1  # at once; AccumulationHook sets it
    orders: Optional[torch.Generator] = None  # of ShuffleBN, for a run

    def __init__(self, *args, shuffle_bn: str = 'images', **kwargs) -> None:
        if shuffle_bn not in ('images', 'statistics'):
            raise ValueError(f"shuffle_bn={shuffle_bn!r} has to be 'images' or"
                             " 'statistics'")
        super().__init__(*args, **kwargs)
        self.encoder_k = ForeachEMA(
            nn.Sequential(self.backbone, self.neck),
            momentum=self.encoder_k.momentum)
        if shuffle_bn == 'statistics':
            ShuffledBatchNorm.convert(self.encoder_k)
        self.waiting_keys: Dict[str, List[Tensor]] = {}

    @torch.no_grad()
    def encode_keys(self, view: Tensor) -> Tuple[Tensor, ...]:
        """Update the key encoder, then encode whole views with it.

        Args:
            view (Tensor): Shape (N, 3, H, W).

        Returns:
            tuple[Tensor]: What ``project`` gives, without gradient.
        """
        self.encoder_k.update_parameters(
            nn.Sequential(self.backbone, self.neck))

        # ShuffleBN (MoCo, Sec. 3.3) mixes the batches of several processes.
        # Where no statistics are of one process' batch, it changes nothing.
        norms = local_batch_norms(self.encoder_k)
        if get_world_size() == 1 or not norms:
            return self.project(view, *self.encoder_k.module)
        if self.orders is None:
            self.orders = shared_generator()
        order = draw_order(len(view), self.orders)
        device = view.device
        if all(isinstance(norm, ShuffledBatchNorm) for norm in norms):
            with in_groups(norms, plan_groups(order, device)):
                return self.project(view, *self.encoder_k.module)

        if torch.is_autocast_enabled(device.type):  # as its first layer would
            view = view.to(torch.get_autocast_dtype(device.type))
        there = plan_exchange(order, device)
        back = plan_exchange(order.argsort(), device)
        keys = self.project(redistribute(view, there), *self.encoder_k.module)
        return type(keys)(*[redistribute(key, back) for key in keys])

    def loss_region(self, view: Tensor, key: Tensor) -> Tensor:
        """Weighted region loss of views (N, 3, H, W) and keys (N, D)."""
        canvas, paste = map(F.normalize, self.project_regions(view))
        return self.region_weight * self.head.loss_region(
            canvas, paste, key, self.queue)

    def _dequeue_and_enqueue(self, keys: Tensor) -> None:
        """Write the keys (N, D) of all processes into the queue."""
        self.enqueue_later('queue', keys)

    def enqueue_later(self, name: str, keys: Tensor) -> None:
        """Gather keys (N, D) into a queue, of all batches of an update.

        Args:
            name (str): Of the buffer, whose place is in ``NAME_ptr``.
            keys (Tensor): Of one batch of this process.
        """
        waiting = self.waiting_keys.setdefault(name, [])
        waiting.append(keys)
        # The key encoder counts batches, and goes on where a run is resumed.
        if self.encoder_k.count % self.batches_to_enqueue == 0:
            enqueue(
                getattr(self, name), getattr(self, f'{name}_ptr'),
                concat_all_gather(torch.cat(waiting)))
            waiting.clear()
