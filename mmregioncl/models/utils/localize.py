"""Boxes around the strongest responses of a network.

``update_box`` of the official ContrastiveCrop (xyupeng/ContrastiveCrop at
408f143, https://arxiv.org/abs/2202.03278).
"""
from typing import Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

Threshold = Union[float, str]  # of the scaled response, or 'mean'


def check_threshold(threshold: Threshold) -> Threshold:
    """Return a threshold as a number, or 'mean'.

    Raises:
        ValueError: If it is neither in [0, 1) nor 'mean'.
    """
    if threshold == 'mean':
        return threshold
    try:
        number = float(threshold)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < 1:
        raise ValueError(f'threshold={threshold!r} of boxes has to be in '
                         '[0, 1), or "mean"')
    return number


def heat_maps(features: Tensor,
              image_size: Tuple[int, int]) -> Tuple[Tensor, Tensor]:
    """How strongly a network responds to each pixel, from 0 to 1.

    The channels' sum is scaled to [0, 1] at the size of the map, and enlarged
    to that of the image (ContrastiveCrop's code).

    Args:
        features (Tensor): Shape (N, C, Hf, Wf).
        image_size (tuple[int, int]): Height and width in pixels.

    Returns:
        tuple[Tensor, Tensor]: Maps (N, H, W), float32; and whether a map is
        informative, (N,) bool: finite, and not constant up to rounding.
    """
    heat = features.float().sum(1, keepdim=True)  # (N, 1, Hf, Wf)
    low = heat.amin((1, 2, 3), keepdim=True)
    high = heat.amax((1, 2, 3), keepdim=True)
    rounding = torch.finfo(heat.dtype).eps * features.size(1)
    informative = high - low > rounding * torch.maximum(low.abs(), high.abs())
    heat = F.interpolate(
        (heat - low) / (high - low), image_size, mode='bilinear')
    return heat[:, 0], informative.flatten()  # False for NaN and inf, too


def heatmap_to_boxes(features: Tensor, image_size: Tuple[int, int],
                     threshold: Threshold) -> Tuple[Tensor, Tensor]:
    """Boxes around the pixels with a strong response.

    The box reaches from the first to the last row and column that contain a
    value above the threshold, as in the official code: its far edges are the
    start of the last row and column, so the largest box ends one pixel short
    of the image.

    Args:
        features (Tensor): Shape (N, C, Hf, Wf).
        image_size (tuple[int, int]): Height and width in pixels.
        threshold (float or str): Of the scaled response, as published; or
            'mean', the mean response of the image, which is the rule of SCDA
            (https://arxiv.org/abs/1604.04994) without its choice of the
            largest component. ContrastiveCrop with it is this package's
            definition.

    Returns:
        tuple[Tensor, Tensor]: Boxes (N, 4), float32, as top, left, bottom and
        right, in fractions of the image; and whether a map is degenerate, (N,)
        bool: not informative, or nowhere above the threshold. Its box is the
        whole image.
    """
    heat, informative = heat_maps(features, image_size)
    limit = heat.mean((1, 2), keepdim=True) if threshold == 'mean' else \
        heat.new_tensor(float(threshold))
    hot = heat > limit  # (N, H, W)
    ends = []
    for along in (hot.any(2), hot.any(1)):  # rows (N, H), columns (N, W)
        length = along.size(1)
        along = along.byte()
        first = along.argmax(1)  # of equal values, the first
        last = length - 1 - along.flip(1).argmax(1)
        ends.append(torch.stack((first, last)) / length)  # (2, N)
    boxes = torch.stack(ends, 1).flatten(0, 1).T  # (N, 4)
    degenerate = ~(informative & hot.flatten(1).any(1))
    boxes[degenerate] = boxes.new_tensor((0., 0., 1., 1.))
    return boxes, degenerate


def covered(boxes: Tensor, image_size: Tuple[int, int]) -> Tensor:
    """Extend boxes by their last row and column.

    Args:
        boxes (Tensor): Of :func:`heatmap_to_boxes`, (N, 4).
        image_size (tuple[int, int]): Height and width in pixels.

    Returns:
        Tensor: Shape (N, 4); the largest box is the whole image, (0, 0, 1, 1).
    """
    pixel = 1 / boxes.new_tensor(image_size)
    return torch.cat((boxes[:, :2], (boxes[:, 2:] + pixel).clamp(max=1)), 1)


def areas(boxes: Tensor) -> Tensor:
    """Areas (N,) of boxes (N, 4)."""
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)


def are_whole(boxes: Tensor) -> Tensor:
    """Which boxes (N, 4), in fractions of the image, are the whole image.

    Args:
        boxes (Tensor): With their last row and column.

    Returns:
        Tensor: Shape (N,), bool.
    """
    return areas(boxes) > 1 - 1e-6  # up to rounding
