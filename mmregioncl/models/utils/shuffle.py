"""ShuffleBN: batches of keys mixed over processes (MoCo, Sec. 3.3)."""
from typing import List, NamedTuple

import torch
from mmengine.dist import broadcast, get_rank, get_world_size, sync_random_seed
from mmengine.logging import MessageHub
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmregioncl.randomness import hash_words
from .modules import to_device


def shared_seed() -> int:
    """The seed of the run on rank 0, or a random one if there is none.

    All processes must call it.
    """
    hub = MessageHub.get_current_instance()
    if 'seed' not in hub.runtime_info:
        return sync_random_seed()
    seed = torch.tensor(hub.get_info('seed'))
    broadcast(seed)
    return int(seed)


def local_batch_norms(encoder: nn.Module) -> List[_BatchNorm]:
    """Batch-norm layers that use the batch statistics of this process.

    Frozen and synchronized layers are not among them.
    """
    return [
        module for module in encoder.modules()
        if isinstance(module, _BatchNorm)
        and not isinstance(module, nn.SyncBatchNorm) and (
            module.training or module.running_mean is None)
    ]


def draw_order(count: int, seed: int, step: int) -> Tensor:
    """Draw which process encodes which image.

    Args:
        count (int): Images of each process, N.
        seed (int): From :func:`shared_seed`.
        step (int): Batches before this one. Each has its own order.

    Returns:
        Tensor: A permutation of the W x N images of W processes, the same on
        all of them, on the CPU. Process r encodes the images at the positions
        r x N to (r + 1) x N.
    """
    generator = torch.Generator().manual_seed(hash_words(seed, step)[0])
    return torch.randperm(get_world_size() * count, generator=generator)


class Exchange(NamedTuple):
    """What this process sends and receives; N rows per process, W
    processes."""
    sent: Tensor  # (N,), rows to send, sorted by receiver
    sizes: List[int]  # (W,), rows for each receiver
    received: Tensor  # (N,), which received row belongs at each position
    received_sizes: List[int]  # (W,), rows from each sender


def plan_exchange(order: Tensor, device: torch.device) -> Exchange:
    """Plan the exchange for an order.

    Args:
        order (Tensor): From :func:`draw_order`; its ``argsort`` plans the way
            back.
        device (torch.device): Device of the rows.
    """
    world, rank = get_world_size(), get_rank()
    wanted = order.view(world, -1)  # (W, N), rows that each process gets
    count = wanted.shape[1]
    owner = wanted // count  # (W, N)
    mine = owner == rank  # (W, N)
    # Rows arrive sorted by owner, and by position for each owner.
    places = owner[rank].argsort(stable=True)
    return Exchange(
        to_device(wanted[mine] % count, device),
        mine.sum(1).tolist(), to_device(places.argsort(), device),
        owner[rank].bincount(minlength=world).tolist())


@torch.no_grad()
def redistribute(rows: Tensor, exchange: Exchange) -> Tensor:
    """Exchange rows between processes.

    Every row is sent once, to the process that needs it. (An all-gather, as in
    mmselfsup, sends every row to every process.)

    Args:
        rows (Tensor): Rows of this process, shape (N, ...).
        exchange (Exchange): From :func:`plan_exchange`.

    Returns:
        Tensor: Rows at this process's positions of the order, (N, ...).
    """
    sent = rows[exchange.sent].contiguous()  # in any memory format
    received = torch.empty_like(sent)
    distributed.all_to_all_single(received, sent, exchange.received_sizes,
                                  exchange.sizes)
    return received[exchange.received]
