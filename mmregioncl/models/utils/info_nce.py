"""The one contrastive loss of the package."""
from typing import Optional, Tuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class _QueueLogSumExp(Function):
    """Row-wise logsumexp of `query @ queue` in one (N, K) matrix.

    The gradient to the queries is formed in the forward pass, while the
    exponentials are at hand. So no logits outlive this function: they do not
    sit in memory while the backbone runs backward, and the queue may be
    overwritten before that.
    """

    @staticmethod
    def forward(ctx, query: Tensor, queue: Tensor) -> Tensor:
        weights = query @ queue  # (N, K)
        peak = weights.amax(1, keepdim=True)  # (N, 1)
        total = weights.sub_(peak).exp_().sum(1, keepdim=True)  # (N, 1)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(weights @ queue.T / total)  # (N, D)
        return (peak + total.log()).squeeze(1)  # (N,)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> Tuple[Tensor, None]:
        slope, = ctx.saved_tensors
        return grad[:, None] * slope, None


def info_nce(query: Tensor,
             positive: Tensor,
             queue: Tensor,
             temperature: float,
             extra: Optional[Tensor] = None) -> Tensor:
    r"""InfoNCE against a queue of negatives, mean over the rows.

    .. math::
        -\log \frac{e^{q \cdot p / T}}
        {e^{q \cdot p / T} + e^{q \cdot x / T} + \sum_k e^{q \cdot n_k / T}}

    MoCo, Eq. 1 (https://arxiv.org/abs/1911.05722), with an extra negative of
    its own for each row. Sums are in float32 at least, also under autocast.

    Args:
        query (Tensor): Shape (N, D).
        positive (Tensor): Shape (N, D), row i belongs to query i.
        queue (Tensor): Negatives of all rows, shape (D, K). Gets no gradient.
        temperature (float): The T of the formula.
        extra (Tensor, optional): One more negative for each row, shape
            (N, D). Defaults to None.

    Returns:
        Tensor: The loss, a scalar.

    Raises:
        ValueError: If queries and queue differ in D, or the queue is empty.
    """
    if queue.shape[0] != query.shape[1] or not queue.shape[1]:
        raise ValueError(
            f'queries of {query.shape[1]} values do not fit a queue of '
            f'{queue.shape[1]} keys of {queue.shape[0]} values: set feat_dim '
            "to the neck's out_channels, and queue_len to at least 1")
    dtype = torch.promote_types(query.dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        query = query.to(dtype) / temperature
        positive_logit = (query * positive).sum(1)  # (N,)
        logits = [positive_logit, _QueueLogSumExp.apply(query, queue)]
        if extra is not None:
            logits.append((query * extra).sum(1))
        return (torch.stack(logits).logsumexp(0) - positive_logit).mean()
