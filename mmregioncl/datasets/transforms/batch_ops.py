"""The operations of ``image_ops.py`` on whole batches, on any device.

All functions take and return float32 images of shape (N, C, H, W) with whole
numbers from 0 to 255, in BGR where colors matter, and parameters of each
image. They round where Pillow does.
"""
import math
from typing import Callable, Dict, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .image_ops import LUMA

SLACK = 2**-9  # so that rounding errors do not change whole numbers


def triangle(distance: Tensor) -> Tensor:
    """The bilinear filter."""
    return (1 - distance.abs()).clamp(min=0)


def cubic(distance: Tensor) -> Tensor:
    """The bicubic filter with a = -0.5, as Pillow's."""
    x = distance.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.))


FILTERS: Dict[str, Callable[[Tensor], Tensor]] = dict(
    bilinear=triangle, bicubic=cubic)


def resize_crops(images: Tensor,
                 corners: Sequence[Tensor],
                 extents: Sequence[Tensor],
                 size: Tuple[int, int],
                 interpolation: str = 'bilinear',
                 antialias: bool = True) -> Tensor:
    """Crop each image and resize the crops to one size.

    Args:
        images (Tensor): Shape (N, C, H, W).
        corners (Sequence[Tensor]): Top and left of the crops in pixels, shape
            (N,) each.
        extents (Sequence[Tensor]): Height and width of the crops, likewise.
        size (tuple[int, int]): Height and width of the results.
        interpolation (str): 'bilinear' or 'bicubic'.
        antialias (bool): Whether filters widen where a crop shrinks.

    Returns:
        Tensor: Shape (N, C, *size).
    """
    rows, cols = (resize_weights(corner, extent, length, side,
                                 FILTERS[interpolation], antialias)
                  for corner, extent, length, side in zip(
                      corners, extents, images.shape[2:], size))
    return resample(images, rows, cols, interpolation == 'bicubic')


def resize_weights(corner: Tensor, extent: Tensor, length: int, side: int,
                   kernel: Callable[[Tensor],
                                    Tensor], antialias: bool) -> Tensor:
    """Weights of the pixels of a line in the pixels of a resized crop.

    Args:
        corner, extent (Tensor): Begin and length of the crop, shape (N,).
        length (int): Pixels of the line.
        side (int): Pixels of the result.
        kernel (Callable): Filter of a distance in pixels.
        antialias (bool): Whether it widens where the crop shrinks.

    Returns:
        Tensor: Shape (N, side, length); the sum over the last axis is 1.
    """
    device = corner.device
    scale = (extent / side)[:, None, None]  # (N, 1, 1)
    centres = (torch.arange(side, device=device)[:, None] + 0.5) * scale
    pixels = torch.arange(length, device=device) - corner[:, None, None]
    inside = (pixels >= 0) & (pixels < extent[:, None, None])  # (N, 1, length)
    width = scale.clamp(min=1) if antialias else 1
    weights = kernel((pixels + 0.5 - centres) / width) * inside
    return weights / weights.sum(2, keepdim=True)


def resample(images: Tensor,
             rows: Tensor,
             cols: Tensor,
             twice: bool = False) -> Tensor:
    """Combine the rows and the columns of each image, and round.

    Args:
        images (Tensor): Shape (N, C, H, W).
        rows (Tensor): Weights of shape (N, h, H).
        cols (Tensor): Weights of shape (N, w, W).
        twice (bool): Whether to round in between, too, as Pillow does, which
            matters where negative weights exceed the range. Defaults to False.

    Returns:
        Tensor: Shape (N, C, h, w).
    """
    lines = images @ cols.mT[:, None]  # (N, C, H, w)
    if twice:
        lines.round_().clamp_(0, 255)
    return (rows[:, None] @ lines).round_().clamp_(0, 255)


def jitter_colors(images: Tensor, factors: Tensor, hue: Optional[Tensor],
                  order: Tensor) -> Tensor:
    """Change brightness, contrast, saturation and hue in a given order.

    Brightness, contrast and saturation share one formula, so images with
    different orders are processed together. Steps before and after the hue
    shift are done in two groups.

    Args:
        images (Tensor): Shape (N, 3, H, W).
        factors (Tensor): Factors of brightness, contrast and saturation as in
            ``PIL.ImageEnhance``, shape (3, N).
        hue (Tensor, optional): Shifts as a fraction of the color circle, in
            [-0.5, 0.5], shape (N,). None to skip the step.
        order (Tensor): Order of the steps, 0 to 2 for the factors and 3 for
            the hue, shape (4, N), int64.

    Returns:
        Tensor: Shape (N, 3, H, W).
    """
    hue_place = order.argsort(0)[3]  # (N,)
    chosen = torch.cat((factors, torch.ones_like(factors[:1])))
    chosen = chosen.gather(0, order)  # (4, N), 1 changes nothing
    for place in range(3):
        factor = chosen[place].where(place < hue_place, 1)
        images = enhance(images, factor, order[place])
    if hue is not None:
        images = shift_hue(images, hue)
    for place in range(1, 4):
        factor = chosen[place].where(place > hue_place, 1)
        images = enhance(images, factor, order[place])
    return images


def enhance(images: Tensor, factor: Tensor, step: Tensor) -> Tensor:
    """Change brightness, contrast or saturation, one of them per image.

    Args:
        images (Tensor): Shape (N, 3, H, W).
        factor (Tensor): Share of the image, shape (N,); the rest is black,
            its mean luma, or the luma of each pixel.
        step (Tensor): 0, 1 or 2 for brightness, contrast or saturation, shape
            (N,).

    Returns:
        Tensor: Shape (N, 3, H, W).
    """
    factor, step = (value[:, None, None, None] for value in (factor, step))
    gray = luma(images, LUMA, 0.5)  # (N, 1, H, W)
    mean = gray.mean((2, 3), keepdim=True).add_(0.5).floor_()
    other = torch.where(step == 1, mean, gray) * (step != 0)
    return torch.lerp(other, images,
                      factor).add_(SLACK).floor_().clamp_(0, 255)


def luma(images: Tensor, weights: Sequence[float], offset: float) -> Tensor:
    """Weighted mean of the channels, rounded down after an offset.

    Returns:
        Tensor: Shape (N, 1, H, W).
    """
    blue, green, red = (weight * images[:, channel, None]
                        for channel, weight in enumerate(weights))
    return (blue + green + red).add_(offset).floor_()


def shift_hue(images: Tensor, hue: Tensor) -> Tensor:
    """Shift the hue of each image by a multiple of 1/256 of the circle.

    Args:
        images (Tensor): Shape (N, 3, H, W).
        hue (Tensor): Fractions of the circle in [-0.5, 0.5], shape (N,).

    Returns:
        Tensor: Shape (N, 3, H, W).
    """
    blue, green, red = images.unbind(1)  # (N, H, W)
    value = images.amax(1)
    chroma = value - images.amin(1)
    part = 1 / chroma.clamp(min=1)  # of whole numbers
    sector = torch.where(
        value == red, (green - blue) * part,
        torch.where(value == green, (blue - red) * part + 2,
                    (red - green) * part + 4))
    sector = sector + (6 / 256) * (255 * hue).trunc()[:, None, None]
    channels = []
    for start in (1, 3, 5):  # B, G and R
        along = (sector + start).remainder(6)
        share = torch.minimum(along, 4 - along).clamp(0, 1)
        channels.append(value - chroma * share)
    return torch.stack(channels, 1).round_()


def weighted_gray(images: Tensor, weights: Sequence[float]) -> Tensor:
    """Replace each channel by a weighted mean of all, truncated."""
    total = sum(weights)
    gray = luma(images, [weight / total for weight in weights], SLACK)
    return gray.expand_as(images)


def gaussian_blur(images: Tensor, sigma: Tensor, most: float) -> Tensor:
    """Blur each image with a Gaussian, borders replicated.

    The taps are the same as in ``image_ops.gaussian_blur``.

    Args:
        images (Tensor): Shape (N, C, H, W).
        sigma (Tensor): Standard deviations in pixels, shape (N,).
        most (float): At least the largest of them.

    Returns:
        Tensor: Shape (N, C, H, W).
    """
    reach = math.ceil(2.4 * max(most, 0.5))
    sigma = sigma[:, None]  # (N, 1)
    steps = torch.arange(-reach, reach + 1, device=sigma.device)
    taps = torch.exp(-0.5 * (steps / sigma)**2)  # (N, 2 * reach + 1)
    taps = taps * (steps.abs() <= (2.4 * sigma).ceil())
    taps = taps / taps.sum(1, keepdim=True)
    side = sigma**2 / 2  # of three taps
    narrow = torch.where(steps == 0, 1 - 2 * side, side) * (steps.abs() <= 1)
    taps = torch.where(sigma < 0.5, narrow, taps)
    return resample(
        images, *(blur_weights(taps, length) for length in images.shape[2:]))


def blur_weights(taps: Tensor, length: int) -> Tensor:
    """Weights of the pixels of a line in the pixels of the blurred line.

    Args:
        taps (Tensor): Filters of shape (N, 2 * reach + 1).
        length (int): Pixels of the line.

    Returns:
        Tensor: Shape (N, length, length).
    """
    reach = taps.shape[1] // 2
    pixels = torch.arange(length, device=taps.device)
    padded = torch.arange(-reach, length + reach, device=taps.device)
    tap = padded - pixels[:, None] + reach  # (length, length + 2 * reach)
    band = taps[:, tap.clamp(0, 2 * reach)] * ((tap >= 0) & (tap <= 2 * reach))
    nearest = padded.clamp(0, length - 1)[:, None] == pixels
    return band @ nearest.to(taps.dtype)


def solarize(images: Tensor, threshold: int) -> Tensor:
    """Invert all values from `threshold` on."""
    return torch.where(images < threshold, images, 255 - images)
