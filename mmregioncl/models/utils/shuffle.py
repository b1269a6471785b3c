"""Batches mixed over processes, for the batch norm of keys."""
from typing import List, NamedTuple

import torch
from mmengine.dist import get_rank, get_world_size, sync_random_seed
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


def shared_generator() -> torch.Generator:
    """A generator that draws the same on all processes.

    They agree on its seed, and need not wait for each other's draws.
    """
    return torch.Generator().manual_seed(sync_random_seed())


def local_batch_norms(encoder: nn.Module) -> List[_BatchNorm]:
    """Those by which an image depends on the others of its process.

    Frozen batch norm is not among them, nor is that of all processes.
    """
    return [
        module for module in encoder.modules()
        if isinstance(module, _BatchNorm)
        and not isinstance(module, nn.SyncBatchNorm) and (
            module.training or module.running_mean is None)
    ]


def draw_order(count: int, generator: torch.Generator) -> Tensor:
    """Draw who encodes which image of all processes.

    Args:
        count (int): Images of each process, N.
        generator (torch.Generator): From :func:`shared_generator`.

    Returns:
        Tensor: A permutation of the W x N images of W processes, the same on
        all of them, on the CPU. Process r gets the images that stand in places
        r x N to (r + 1) x N.
    """
    return torch.randperm(get_world_size() * count, generator=generator)


class Exchange(NamedTuple):
    """Who sends what to whom; N rows of each of W processes."""
    sent: Tensor  # (N,), rows of this process, by receiver
    sizes: List[int]  # (W,), how many for each
    received: Tensor  # (N,), of what comes, by place
    received_sizes: List[int]  # (W,), how many from each


def plan_exchange(order: Tensor, device: torch.device) -> Exchange:
    """What this process has to do for an order.

    Args:
        order (Tensor): From :func:`draw_order`; its ``argsort`` undoes it.
        device (torch.device): Of the rows.
    """
    world, rank = get_world_size(), get_rank()
    wanted = order.view(world, -1)  # (W, N), rows that each process gets
    count = wanted.shape[1]
    owner = wanted // count  # (W, N)
    mine = owner == rank  # (W, N)
    # They come sorted by owner, and from each owner in the order of places.
    places = owner[rank].argsort(stable=True)
    return Exchange(
        to_device(wanted[mine] % count, device),
        mine.sum(1).tolist(), to_device(places.argsort(), device),
        owner[rank].bincount(minlength=world).tolist())


def to_device(indices: Tensor, device: torch.device) -> Tensor:
    """Copy from the host, which does not wait for it."""
    if device.type == 'cuda':
        indices = indices.pin_memory()
    return indices.to(device, non_blocking=True)


@torch.no_grad()
def redistribute(rows: Tensor, exchange: Exchange) -> Tensor:
    """Hand the rows of all processes out anew.

    Every row travels once, from its owner to the process that gets it. (An
    all-gather, as in mmselfsup, sends every row to every process.)

    Args:
        rows (Tensor): Those of this process, shape (N, ...).
        exchange (Exchange): From :func:`plan_exchange`.

    Returns:
        Tensor: What stands in this process' places of the order, (N, ...).
    """
    sent = rows[exchange.sent].contiguous()  # whatever its memory format
    received = torch.empty_like(sent)
    distributed.all_to_all_single(received, sent, exchange.received_sizes,
                                  exchange.sizes)
    return received[exchange.received]
