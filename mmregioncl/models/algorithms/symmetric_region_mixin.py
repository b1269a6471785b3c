from typing import Callable, Sequence

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

    def loss_region(self, views: Sequence[Tensor],
                    loss: Callable[..., Tensor]) -> Tensor:
        """Weighted mean of the region losses of each view.

        Args:
            views (Sequence[Tensor]): Two views, (N, 3, H, W) each.
            loss (Callable): From canvas and paste, (N, D) each, and the number
                of their view, 0 or 1, to a scalar.

        Returns:
            Tensor: A scalar.
        """
        views = views if self.symmetric else views[:1]
        losses = [
            loss(*self.project_regions(view), number)
            for number, view in enumerate(views)
        ]
        return self.region_weight * sum(losses) / len(losses)
