from copy import copy
from typing import Callable, Optional, Tuple

from torch import Tensor

from mmregioncl.registry import TRANSFORMS
from mmregioncl.validation import check_whole_number, is_span
from .region import (Region, check_pairs, default_size, sample_region,
                     swap_region)


@TRANSFORMS.register_module()
class RegionSwap:
    """Swap one region between the images of a batch.

    All images share the region, and image i is paired with image N-1-i. The
    region is drawn from torch's global generator on the CPU, which MMEngine
    seeds alike on all ranks unless ``diff_rank_seed`` is set.

    Args:
        size (tuple[int, int], optional): Shortest and longest side of the
            region in cells, both included. Defaults to None, 3/7 to 5/7 of
            the grid's shorter side, rounded: the official 3 to 5 of 7 cells.
        stride (int, optional): Pixels per cell, the stride of the backbone.
            Defaults to None: an algorithm uses the stride of its backbone
            (:meth:`fit`), and 32 is used if the transform is called by itself.
    """

    def __init__(self,
                 size: Optional[Tuple[int, int]] = None,
                 stride: Optional[int] = None) -> None:
        if size is not None:
            if not is_span(size, 1) or any(side % 1 for side in size):
                raise ValueError(
                    f'size={size!r} of RegionSwap has to be two whole numbers '
                    'of cells, the shortest and the longest side of a region')
            size = int(size[0]), int(size[1])
        if stride is not None:
            stride = check_whole_number('stride', stride, 'RegionSwap')
        self.size = size
        self.stride = stride

    def fit(self, grid: Tuple[int, int],
            image_size: Tuple[int, int]) -> 'RegionSwap':
        """The transform for a backbone that maps an image to a grid.

        Args:
            grid (tuple[int, int]): Rows and columns of the feature map.
            image_size (tuple[int, int]): Height and width in pixels.

        Returns:
            RegionSwap: With a size and a stride.

        Raises:
            ValueError: If the grid is a single cell, if the image is not a
                whole number of pixels per cell, if the stride is not the one
                that was set, or if none was set and it is not a power of two.
        """
        (rows, cols), (height, width) = grid, image_size
        stride = height // max(rows, 1)
        if self.stride:
            self.check_size(height, width)
        if (rows, cols) == (1, 1):
            # The stride may be larger than the image. Most backbones have 32.
            side = 2 * (self.stride or max(32, height))
            raise ValueError(
                f'views of {height}x{width} pixels give a single cell, and no '
                'canvas around a region: set the size of the crop in the '
                f'train pipeline to {side} or more')
        exact = (rows * stride, cols * stride) == (height, width)
        if exact and self.stride not in (None, stride):
            raise ValueError(
                f'the backbone makes {rows}x{cols} cells of {height}x{width} '
                f'pixels, which is not the stride={self.stride} of RegionSwap:'
                f' set its stride={stride}')
        # Strided convolutions round up, so 4 rows of 112 pixels need not be
        # a stride of 28: a stride that was not set has to be a power of two.
        if not exact or self.stride is None and stride & (stride - 1):
            hint = ', or set stride of RegionSwap' if exact else ''
            raise ValueError(
                f'views of {height}x{width} pixels give {rows}x{cols} cells, '
                'so their sides seem not to be multiples of the stride of the '
                f'backbone: use {sides_near(grid, image_size)}{hint}')
        fitted = copy(self)
        fitted.size = self.size or default_size(grid)
        fitted.stride = stride
        return fitted

    def check_size(self, height: int, width: int) -> None:
        """Refuse images that are not a whole number of cells.

        Args:
            height, width (int): Size of the images in pixels.

        Raises:
            ValueError: If a side is not a multiple of the stride.
        """
        stride = self.stride or 32
        if height % stride or width % stride:
            raise ValueError(
                f'RegionSwap got images of {height}x{width} pixels, which are '
                f'not multiples of stride={stride}: change the size of the '
                'views, or set stride to that of the backbone')

    def __call__(self, views: Tensor) -> Tuple[Tensor, Region]:
        """Make a composite of each view.

        Args:
            views (Tensor): Shape (N, C, H, W); N is even, H and W are
                multiples of the stride.

        Returns:
            tuple[Tensor, Region]: Composites of shape (N, C, H, W), and the
            region in cells.

        Raises:
            ValueError: If the batch is odd, the size of the images is not a
                multiple of the stride, or the region leaves no canvas.
        """
        count, _, height, width = views.shape
        check_pairs(count)
        stride = self.stride or 32
        self.check_size(height, width)
        grid = (height // stride, width // stride)
        region = sample_region(grid, self.size or default_size(grid))
        return swap_region(views, region.scale(stride)), region

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, stride={self.stride})'


def sides_near(grid: Tuple[int, int], image_size: Tuple[int, int]) -> str:
    """Describe sides that fit a backbone whose stride is a power of two."""
    for stride in (2, 4, 8, 16, 32, 64):
        if grid == tuple(-(-side // stride) for side in image_size):
            least = max(image_size[0] // stride, 2)  # a region and a canvas
            return (f'multiples of {stride}, such as {least * stride} or '
                    f'{(least + 1) * stride}')
    return 'such sides'


def build_region_swap(cfg: dict) -> Callable[[Tensor], Tuple[Tensor, Region]]:
    """Build the transform of a config, a RegionSwap unless it has a type."""
    return TRANSFORMS.build(dict(dict(type='mmregioncl.RegionSwap'), **cfg))
