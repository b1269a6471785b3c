"""Batches mixed over processes by their statistics; no image travels."""
from contextlib import contextmanager
from typing import Iterator, Optional, Tuple

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .shuffle import is_local, local_batch_norms, to_device


def plan_groups(order: Tensor, device: torch.device) -> Tensor:
    """The group of each image of this process.

    Args:
        order (Tensor): From :func:`draw_order`, of W x N images. Those in the
            places of process r are group r.
        device (torch.device): Of the images.

    Returns:
        Tensor: One-hot, shape (N, W), float64.
    """
    world = get_world_size()
    count = len(order) // world
    groups = order.argsort().view(world, count)[get_rank()] // count  # (N,)
    one_hot = groups[:, None] == torch.arange(world)  # (N, W)
    return to_device(one_hot.double(), device)


def precision_of(rows: Tensor) -> torch.dtype:
    """What to compute in: float32 for half precision, else their own."""
    return torch.promote_types(rows.dtype, torch.float32)


@torch.no_grad()
def group_statistics(rows: Tensor, groups: Tensor) -> Tuple[Tensor, Tensor]:
    """Mean and variance of each channel in each group, over all processes.

    Args:
        rows (Tensor): Images of this process, shape (N, C, ...). All
            processes have N, and all groups too.
        groups (Tensor): From :func:`plan_groups`, shape (N, W).

    Returns:
        tuple[Tensor, Tensor]: Shape (W, C) each, float64, so that a difference
        of squares loses nothing.
    """
    rows = rows.to(precision_of(rows))
    pixels = rows.reshape(*rows.shape[:2], -1)  # (N, C, S)
    mean = pixels.mean(2)  # (N, C)
    # torch.var_mean is a pass less, and several times slower on a CPU.
    variance = (pixels - mean[..., None]).square_().mean(2)
    mean = mean.double()
    moments = torch.stack([mean, variance + mean.square()])  # (2, N, C)
    moments = groups.T @ moments / len(rows)  # (2, W, C)
    distributed.all_reduce(moments)
    mean, square = moments
    return mean, (square - mean.square()).clamp(min=0)


class ShuffledBatchNorm(_BatchNorm):
    """Batch norm by groups of images that are spread over processes.

    By ShuffleBN (MoCo, Sec. 3.3) images are sent to where the batch is that
    they are normalised with. All that they do there is to add to its means and
    variances: here those are sent, and images stay. The results are the same,
    running statistics included. Without gradient, as keys are.

    Attributes:
        groups (Tensor, optional): From :func:`plan_groups`; None for plain
            batch norm.
    """
    groups: Optional[Tensor] = None

    @classmethod
    def convert(cls, encoder: nn.Module) -> None:
        """Turn batch norms of one process into it; all they have stays."""
        for norm in encoder.modules():
            if is_local(norm):
                norm.__class__ = cls

    def _check_input_dim(self, rows: Tensor) -> None:
        """Any (N, C, ...) will do."""

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise images (N, C, ...), each with its group."""
        if self.groups is None:
            return super().forward(rows)
        mean, variance = group_statistics(rows, self.groups)  # (W, C)
        if self.training and self.running_mean is not None:
            self.track(mean[get_rank()], variance[get_rank()],
                       rows.numel() // rows.shape[1])
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale
        if self.bias is not None:
            shift = shift + self.bias
        shape = *rows.shape[:2], *[1] * (rows.dim() - 2)
        scale, shift = ((self.groups @ of_groups).to(
            precision_of(rows)).view(shape) for of_groups in (scale, shift))
        return torch.addcmul(shift, rows, scale).to(rows.dtype)

    @torch.no_grad()
    def track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update running statistics.

        Args:
            mean (Tensor): Of the group of this process, shape (C,).
            variance (Tensor): The same, not corrected.
            count (int): Pixels in the group.
        """
        self.num_batches_tracked += 1
        share = self.momentum
        if share is None:  # a cumulative average
            share = 1 / self.num_batches_tracked
        for running, value in ((self.running_mean, mean),
                               (self.running_var,
                                variance * (count / (count - 1)))):
            running.lerp_(value.to(running.dtype), share)


@contextmanager
def in_groups(encoder: nn.Module, groups: Tensor) -> Iterator[None]:
    """Within, batch norms of the encoder normalise by groups.

    Args:
        encoder (nn.Module): Converted by :class:`ShuffledBatchNorm`.
        groups (Tensor): From :func:`plan_groups`.
    """
    norms = local_batch_norms(encoder)
    try:
        for norm in norms:
            norm.groups = groups
        yield
    finally:
        for norm in norms:
            norm.groups = None
