"""Contrastive losses: against a queue, and against a batch."""
from typing import Optional, Tuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .precision import no_autocast

BLOCK = 2**25  # logits at a time, 128 MiB in float32


class _QueueLogSumExp(Function):
    """Row-wise logsumexp of `query @ queue`, a block of rows at a time.

    The gradient of the queries is computed in the forward pass, where the
    exponentials are available. So no logits outlive their block: they are
    neither kept nor recomputed for the backward pass, and the queue may be
    overwritten before it.
    """

    @staticmethod
    def forward(ctx, query: Tensor, queue: Tensor) -> Tensor:
        sums = query.new_empty(len(query))  # (N,)
        slopes = torch.empty_like(query)  # (N, D)
        rows = max(1, BLOCK // queue.shape[1])
        buffer = query.new_empty(min(rows, len(query)), queue.shape[1])
        for start in range(0, len(query), rows):
            block = slice(start, start + rows)
            count = len(query[block])
            logits = torch.mm(query[block], queue, out=buffer[:count])
            peak = logits.amax(1, keepdim=True)  # (rows, 1)
            powers = logits.sub_(peak).exp_()  # in the same memory
            total = powers.sum(1, keepdim=True)  # (rows, 1)
            sums[block] = (peak + total.log()).squeeze(1)
            if ctx.needs_input_grad[0]:
                slopes[block] = powers @ queue.T / total
        ctx.save_for_backward(slopes)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> Tuple[Tensor, None]:
        slopes, = ctx.saved_tensors
        return grad[:, None] * slopes, None


def info_nce(query: Tensor,
             positive: Tensor,
             queue: Tensor,
             temperature: float,
             extra: Optional[Tensor] = None) -> Tensor:
    r"""InfoNCE against a queue of negatives, mean over the rows.

    .. math::
        -\log \frac{e^{q \cdot p / T}}
        {e^{q \cdot p / T} + e^{q \cdot x / T} + \sum_k e^{q \cdot n_k / T}}

    MoCo, Eq. 1 (https://arxiv.org/abs/1911.05722), with one extra negative
    per row. Sums are in float32 or higher, even under autocast.

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
    with no_autocast(query.device):
        query = query.to(dtype) / temperature
        positive_logit = (query * positive).sum(1)  # (N,)
        logits = [
            positive_logit,
            _QueueLogSumExp.apply(query, queue.to(dtype))
        ]
        if extra is not None:
            logits.append((query * extra).sum(1))
        return (torch.stack(logits).logsumexp(0) - positive_logit).mean()


def nt_xent(query: Tensor,
            views: Tensor,
            positive_index: Tensor,
            own: Optional[Tensor],
            temperature: float,
            extra: Optional[Tensor] = None) -> Tensor:
    r"""Cross entropy of queries against all other views of a batch.

    NT-Xent of SimCLR, Eq. 1 (https://arxiv.org/abs/2002.05709), for any rows:
    query i belongs to the view `own[i]`, its positive is the view
    `positive_index[i]`, and all other views are negatives. The loss is the
    mean over the rows, in float32 or higher. With `own=None` it is the loss of
    MoCo v3, Alg. 1 (https://arxiv.org/abs/2104.02057), without its factor of
    twice the temperature; `views` are the keys.

    Args:
        query (Tensor): Normalized, shape (N, D).
        views (Tensor): Normalized, shape (M, D). Get gradient as well.
        positive_index (Tensor): Indices of views, shape (N,), int64.
        own (Tensor, optional): Indices of the views left out, shape (N,),
            int64. None keeps all views.
        temperature (float): The temperature.
        extra (Tensor, optional): One more negative for each row, shape
            (N, D). Defaults to None.

    Returns:
        Tensor: The loss, a scalar.
    """
    dtype = torch.promote_types(query.dtype, torch.float32)
    with no_autocast(query.device):
        query = query.to(dtype) / temperature
        logits = query @ views.to(dtype).T  # (N, M)
        if own is not None:
            logits = logits.scatter(1, own[:, None], float('-inf'))
        if extra is not None:
            beside = (query * extra).sum(1, keepdim=True)  # (N, 1)
            logits = torch.cat((logits, beside), dim=1)  # (N, M + 1)
        return F.cross_entropy(logits, positive_index)
