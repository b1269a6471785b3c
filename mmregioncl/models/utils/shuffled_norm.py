"""Batches mixed over processes by their statistics; no image travels."""
from contextlib import contextmanager
from typing import Iterator, Optional, Sequence, Tuple

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from .shuffle import to_device


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


def moments(pixels: Tensor) -> Tensor:
    """Means of values and of their squares.

    Args:
        pixels (Tensor): Shape (N, C, S).

    Returns:
        Tensor: Shape (2, N, C), float64, so that a variance can be told from
        them.
    """
    if pixels.is_cuda:
        return moments_by_reductions(pixels)
    copied = pixels.dtype != precision_of(pixels)
    pixels = pixels.to(precision_of(pixels))
    mean = pixels.mean(2)  # (N, C)
    subtract = pixels.sub_ if copied else pixels.sub
    variance = subtract(mean[..., None]).square_().mean(2).double()
    mean = mean.double()
    return torch.stack([mean, variance + mean.square()])


def moments_by_reductions(pixels: Tensor) -> Tensor:
    """The same in two kernels, which read half precision as it is.

    Reductions in float64 are slow on a CPU.
    """
    mean = pixels.mean(2, dtype=torch.float64)
    norm = torch.linalg.vector_norm(pixels, dim=2, dtype=torch.float64)
    return torch.stack([mean, norm.square() / pixels.shape[2]])


@torch.no_grad()
def group_statistics(rows: Tensor, groups: Tensor) -> Tuple[Tensor, Tensor]:
    """Mean and variance of each channel in each group, over all processes.

    Args:
        rows (Tensor): Images of this process, shape (N, C, ...). All
            processes have N, and all groups too.
        groups (Tensor): From :func:`plan_groups`, shape (N, W).

    Returns:
        tuple[Tensor, Tensor]: Shape (W, C) each, float64.
    """
    sums = groups.T @ moments(rows.reshape(*rows.shape[:2], -1))  # (2, W, C)
    all_reduce(sums)
    mean, square = sums / len(rows)
    return mean, (square - mean.square()).clamp(min=0)


def scale_and_shift(rows: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Scale and shift each channel of each image.

    Args:
        rows (Tensor): Shape (N, C, ...).
        scale (Tensor): Shape (N, C), in the precision to compute in.
        shift (Tensor): Shape (N, C), the same.

    Returns:
        Tensor: In the precision and memory format of the rows.
    """
    if rows.is_contiguous():
        # As the channels of one image, normalised already: a single kernel
        scale, shift = scale.flatten(), shift.flatten()
        mean, variance = torch.zeros_like(scale), torch.ones_like(scale)
        channels = rows.view(1, len(scale), -1)  # (1, N x C, S)
        return F.batch_norm(
            channels, mean, variance, scale, shift, eps=0.).view_as(rows)
    shape = *scale.shape, *[1] * (rows.dim() - 2)  # (N, C, 1, ...)
    # Autocast would copy the rows to float32 first, on a GPU.
    with torch.autocast(rows.device.type, enabled=False):
        return torch.addcmul(shift.view(shape), rows,
                             scale.view(shape)).to(rows.dtype)


class ShuffledBatchNorm(_BatchNorm):
    """Batch norm by groups of images that are spread over processes.

    ShuffleBN (MoCo, Sec. 3.3) sends each image to another process, to be
    normalised with the batch there. To that batch it matters by mean and
    variance alone: here those are sent, and images stay. But for rounding, the
    results are the same, running statistics included. Without gradient, as
    keys are.

    Attributes:
        groups (Tensor, optional): From :func:`plan_groups`; None for plain
            batch norm.
    """
    groups: Optional[Tensor] = None

    @classmethod
    def convert(cls, encoder: nn.Module) -> None:
        """Turn PyTorch's batch norms into it; all they have stays.

        Those of other libraries may do more than normalise, and stay as well.
        """
        for norm in encoder.modules():
            if type(norm) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
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
        scale, shift = ((self.groups @ of_groups).to(precision_of(rows))
                        for of_groups in (scale, shift))  # (N, C)
        return scale_and_shift(rows, scale, shift)

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
def in_groups(norms: Sequence[ShuffledBatchNorm],
              groups: Tensor) -> Iterator[None]:
    """Within, batch norms normalise by groups.

    Args:
        norms (Sequence[ShuffledBatchNorm]): Those not frozen.
        groups (Tensor): From :func:`plan_groups`.
    """
    try:
        for norm in norms:
            norm.groups = groups
        yield
    finally:
        for norm in norms:
            norm.groups = None
