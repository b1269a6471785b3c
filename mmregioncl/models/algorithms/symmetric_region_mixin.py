from typing import List, Sequence, Tuple

from torch import Tensor

from .region_swap_mixin import RegionSwapMixin


class SymmetricRegionMixin(RegionSwapMixin):
    """What RegionCL on SimSiam, BYOL and SimCLR shares.

    Args:
        symmetric (bool): Whether composites are made of both views, as the
            parents use both alike, or of the first alone, which halves the
            cost of the region loss. Defaults to True.
        **kwargs: Arguments of :class:`RegionSwapMixin` and of the parent.
    """

    def __init__(self, *args, symmetric: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.symmetric = symmetric

    def region_pairs(self,
                     views: Sequence[Tensor]) -> List[Tuple[Tensor, Tensor]]:
        """Canvas and paste of the first view, and of the second if symmetric.

        Args:
            views (Sequence[Tensor]): Two views, (N, 3, H, W) each.

        Returns:
            list[tuple[Tensor, Tensor]]: One or two pairs of (N, D) each.
        """
        views = views if self.symmetric else views[:1]
        return [self.project_regions(view) for view in views]

    def mean_region(self, losses: List[Tensor]) -> Tensor:
        """Weighted mean of the region losses of the views."""
        return self.region_weight * sum(losses) / len(losses)
