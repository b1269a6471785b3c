from typing import List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .region_swap_mixin import RegionSwapMixin


class SymmetricRegionMixin(RegionSwapMixin):
    """What RegionCL on SimSiam, BYOL and SimCLR share.

    Args:
        symmetric (bool, optional): Whether composites are made of both views,
            which the parents treat alike, or only of the first, which halves
            the cost of the region loss. Defaults to None: of both, or of the
            first if `region_share` is set, since regions need a whole view.
        **kwargs: Arguments of :class:`RegionSwapMixin` and of the parent.

    Raises:
        ValueError: If `symmetric` is set with `region_share`.
    """

    def __init__(self,
                 *args,
                 symmetric: Optional[bool] = None,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if symmetric and self.region_share:
            raise ValueError(
                f'symmetric=True and region_share={self.region_share} of '
                f'{type(self).__name__} exclude each other, since a composite '
                'needs the other view whole: leave one of them out')
        self.symmetric = not self.region_share if symmetric is None else bool(
            symmetric)

    @property
    def passes_per_image(self) -> int:
        """Backbone passes per image, a backward pass counting as two."""
        if self.region_share:
            return 6  # whole views and composites share the first three
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
        mixed, _ = self.split(len(views[0]))
        views = views if self.symmetric else views[:1]
        return [self.project_regions(view[mixed], grid) for view in views]

    def mean_region(self, losses: List[Tensor]) -> Tensor:
        """Weighted mean of the region losses of the views."""
        return self.region_weight * torch.stack(losses).mean()
