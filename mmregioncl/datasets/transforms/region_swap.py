import operator
from typing import Tuple

from torch import Tensor

from mmregioncl.models.utils import (Region, check_pairs, sample_region,
                                     swap_region)
from mmregioncl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RegionSwap:
    """Swap one region between the images of a batch.

    All images share the region, and image i is paired with image N-1-i. It
    is drawn from torch's global generator on the CPU, which MMEngine seeds
    alike on all ranks unless ``diff_rank_seed`` is set.

    Args:
        size (tuple[int, int]): Shortest and longest side of the region in
            cells, both included. Defaults to (3, 5), of 7x7 cells.
        stride (int): Pixels to a cell, the stride of the backbone.
            Defaults to 32.
    """

    def __init__(self,
                 size: Tuple[int, int] = (3, 5),
                 stride: int = 32) -> None:
        try:
            low, high = map(operator.index, size)
            stride = operator.index(stride)
        except (TypeError, ValueError):
            low = high = 0
        if not 1 <= low <= high or stride < 1:
            raise ValueError(
                f'RegionSwap(size={size}, stride={stride}) takes two whole '
                'numbers of cells, (shortest, longest) from 1 on, and a stride'
                ' of at least 1 pixel')
        self.size = (low, high)
        self.stride = stride

    def __call__(self, views: Tensor) -> Tuple[Tensor, Region]:
        """Make a composite of each view.

        Args:
            views (Tensor): Shape (N, C, H, W); N is even, H and W are
                multiples of the stride.

        Returns:
            tuple[Tensor, Region]: Composites of shape (N, C, H, W), and the
            region in cells.

        Raises:
            ValueError: If the batch is odd, the size of the images is no
                multiple of the stride, or the region leaves no canvas.
        """
        count, _, height, width = views.shape
        check_pairs(count)
        if height % self.stride or width % self.stride:
            raise ValueError(
                f'RegionSwap got images of {height}x{width} pixels, which are '
                f'no multiple of stride={self.stride}: change the size of the '
                'views, or set stride to that of the backbone')
        grid = (height // self.stride, width // self.stride)
        region = sample_region(grid, self.size)
        return swap_region(views, region.scale(self.stride)), region

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, stride={self.stride})'
