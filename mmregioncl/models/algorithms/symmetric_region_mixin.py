from typing import List, Sequence, Tuple

import torch
from torch import Tensor

from .region_swap_mixin import RegionSwapMixin


class SymmetricRegionMixin(RegionSwapMixin):
    """What RegionCL on SimSiam, BYOL and SimCLR share.

    Args:
        symmetric (bool): Whether composites are made of both views, which the
            parents treat alike, or only of the first, which halves the cost of
            the region loss. Defaults to True.
        **kwargs: Arguments of :class:`RegionSwapMixin` and of the parent.
    """

    def __init__(self, *args, symmetric: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.symmetric = symmetric

    @property
    def passes_per_image(self) -> int:
        """Passes of the backbone for an image, a backward pass being two."""
        return 12 if self.symmetric else 9  # views and composites, 3 each

    def region_pairs(self, views: Sequence[Tensor],
                     grid: Tuple[int, int]) -> List[Tuple[Tensor, Tensor]]:
        """Canvas and paste of the first view, and of the second if symmetric.

        Args:
            views (Sequence[Tensor]): Two views, (N, 3, H, W) each.
            grid (tuple[int, int]): Rows and columns of their feature maps.

        Returns:
            list[tuple[Tensor, Tensor]]: One or two pairs of (N, D) each.
        """
        views = views if self.symmetric else views[:1]
        return [self.project_regions(view, grid) for view in views]

    def mean_region(self, losses: List[Tensor]) -> Tensor:
        """Weighted mean of the region losses of the views."""
        return self.region_weight * torch.stack(losses).mean()
