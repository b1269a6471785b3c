"""A queue of keys that accepts batches of any size."""
import torch
from torch import Tensor


@torch.no_grad()
def enqueue(queue: Tensor, pointer: Tensor, keys: Tensor) -> None:
    """Replace the oldest keys of a ring buffer, in place.

    No value is read back to the host, which would wait for the GPU.

    Args:
        queue (Tensor): Keys in columns, shape (D, K).
        pointer (Tensor): Column of the oldest key, shape (1,), int64.
        keys (Tensor): New keys, shape (N, D), for any N. If N > K, the last K
            are kept.
    """
    length = queue.shape[1]
    count = keys.shape[0]
    order = torch.arange(count, device=pointer.device)[-length:]
    queue.index_copy_(1, (pointer + order) % length,
                      keys[-length:].T.to(queue.dtype))
    pointer.add_(count).remainder_(length)
