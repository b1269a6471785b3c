"""What a region is: drawn, pasted and pooled in one unit, the feature cell.

RegionCL (https://arxiv.org/abs/2111.12309) swaps one rectangle between the
images of a batch. The *paste* is the rectangle, the *canvas* is what is left
around it. Image i is paired with image N-1-i (:func:`partner`).
"""
from typing import NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from .precision import no_autocast


class Region(NamedTuple):
    """Rectangle on a grid, in feature cells unless stated otherwise."""
    top: int
    left: int
    height: int
    width: int

    def scale(self, stride: int) -> 'Region':
        """The same rectangle in pixels, `stride` pixels to a cell."""
        return Region(*(stride * value for value in self))

    @property
    def window(self) -> tuple:
        """Index of the rectangle in the last two axes of a tensor."""
        return (..., slice(self.top, self.top + self.height),
                slice(self.left, self.left + self.width))


def sample_region(grid: Tuple[int, int],
                  size: Tuple[int, int],
                  generator: Optional[torch.Generator] = None) -> Region:
    """Draw a region that fits on a grid and leaves some canvas.

    The official code draws the start over all pixels and clamps it to one
    pixel short of the last place, so that pasted pixels and pooled cells
    differ in 87 % of its steps. Here the start is a cell, uniform over every
    place where the region fits.

    Args:
        grid (tuple[int, int]): Rows and columns of the feature map, in cells.
        size (tuple[int, int]): Shortest and longest side, in cells, both
            included. Height and width are drawn independently.
        generator (torch.Generator, optional): Source of randomness, on the
            CPU. Defaults to None, the global one.

    Returns:
        Region: The rectangle, in cells.

    Raises:
        ValueError: If a side within `size` could be less than a cell, not fit
            on the grid, or cover all of it.
    """
    rows, cols = grid
    low, high = size
    if not 1 <= low <= high:
        raise ValueError(f'region size=({low}, {high}) must be (shortest, '
                         'longest) side in cells, from 1 on')
    longest = min(grid) - (rows == cols)
    if high > longest:
        smaller = f', or size=({min(low, longest)}, {longest}) in RegionSwap'
        raise ValueError(
            f'a region of {high}x{high} cells does not fit or leaves no '
            f'canvas on the {rows}x{cols} grid of features: use larger images'
            f'{smaller if longest else ""}')

    def draw(first: int, last: int) -> int:
        return int(torch.randint(first, last + 1, (), generator=generator))

    height, width = draw(low, high), draw(low, high)
    return Region(draw(0, rows - height), draw(0, cols - width), height, width)


def check_region(region: Region, grid: Tuple[int, int]) -> None:
    """Refuse a region that is empty or leaves no canvas.

    Means over no cell are NaN.

    Args:
        region (Region): In cells.
        grid (tuple[int, int]): Rows and columns of the feature map.

    Raises:
        ValueError: If it lies outside the grid, is empty, or covers all of it.
    """
    top, left, height, width = region
    rows, cols = grid
    inside = top >= 0 and left >= 0 and height >= 1 and width >= 1 and \
        top + height <= rows and left + width <= cols
    if not inside or (height, width) == (rows, cols):
        raise ValueError(
            f'region_swap drew {height}x{width} cells at ({top}, {left}) of a '
            f'{rows}x{cols} grid of features: it has to draw at least a cell '
            'inside the grid, and to leave one')


def check_pairs(count: int) -> None:
    """Refuse a batch that does not make pairs of images.

    Args:
        count (int): Images in the batch.

    Raises:
        ValueError: If it is odd; the image in the middle would be its own
            partner and its own negative.
    """
    if count % 2:
        raise ValueError(
            f'region swapping pairs images, but got a batch of {count}: leave '
            'one of them out')


def paired(images: Tensor) -> Tensor:
    """Drop the last of an odd number of images, which has no partner.

    Args:
        images (Tensor): Shape (N, ...).

    Returns:
        Tensor: Shape (N, ...) or (N - 1, ...), a view.
    """
    return images[:len(images) // 2 * 2]


def default_size(grid: Tuple[int, int]) -> Tuple[int, int]:
    """Shortest and longest side of a region: 3/7 to 5/7 of a grid, rounded.

    The official regions have 3 to 5 of 7 cells on a side. A grid of 4 has
    regions of 2 to 3 cells, one of 8 of 3 to 6, and one of 12 of 5 to 9.

    Args:
        grid (tuple[int, int]): Rows and columns of the feature map, in cells.
    """
    side = min(grid)
    return max(1, round(3 / 7 * side)), max(1, round(5 / 7 * side))


def partner(rows: Tensor) -> Tensor:
    """Each row's partner: row N-1-i at position i.

    This is the one place that knows how images are paired. The partner's
    partner is the row itself. Composite i contains the canvas of image i and
    the paste of its partner.

    Args:
        rows (Tensor): Of N images, regions or features, shape (N, ...).
    """
    return rows.flip(0)


def neighbours(canvas: Tensor, paste: Tensor) -> Tensor:
    """The other region of each composite, without gradient.

    Canvas i surrounds the paste of i's partner, and vice versa.

    Args:
        canvas (Tensor): Shape (N, D), row i shows image i.
        paste (Tensor): Shape (N, D), row i shows image i.

    Returns:
        Tensor: The neighbors of all canvases, then of all pastes, shape (2N,
        D).
    """
    return torch.cat((partner(paste), partner(canvas))).detach()


def swap_region(views: Tensor, region: Region) -> Tensor:
    """Paste onto each image the same patch of its partner.

    Swapping the same region twice restores the views.

    Args:
        views (Tensor): Images of shape (N, C, H, W).
        region (Region): Rectangle in pixels.

    Returns:
        Tensor: Composites of shape (N, C, H, W); `views` is not changed.
    """
    composites = views.clone()
    composites[region.window] = partner(views[region.window])
    return composites


def pool_region(features: Tensor, region: Region) -> Tuple[Tensor, Tensor]:
    """Mean feature of the canvas and of the paste that show image i.

    Args:
        features (Tensor): Feature maps of composites, shape (N, C, H, W).
        region (Region): Rectangle in cells.

    Returns:
        tuple[Tensor, Tensor]: Canvas and paste, both of shape (N, C) and both
        in source order: row i of either one shows image i. (The paste of
        image i lies in its partner's composite.)
    """
    # A sum over many cells may overflow float16.
    dtype = torch.promote_types(features.dtype, torch.float32)
    inside = features.new_zeros(features.shape[-2:], dtype=dtype)  # (H, W)
    inside[region.window] = 1
    masks = torch.stack((1 - inside, inside))  # (2, H, W)

    with no_autocast(features.device):
        sums = torch.einsum('nchw,rhw->rnc', features.to(dtype), masks)
    means = sums / masks.sum((1, 2))[:, None, None]  # (2, N, C)
    canvas, paste = means.to(features.dtype)
    return canvas, partner(paste)
