from typing import Tuple

from torch import Tensor
from torch.nn import functional as F

from mmregioncl.registry import TRANSFORMS
from ..utils import check_grid


class RegionSwapMixin:
    """What every RegionCL algorithm adds to its parent.

    Args:
        region_swap (dict): Transform of a batch of views to composites and
            the region in them. Defaults to ``mmregioncl.RegionSwap`` with
            its official sizes, for ResNet-50 at 224 pixels.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        **kwargs: Arguments of the parent, which refuses unknown ones.
    """

    def __init__(self,
                 *args,
                 region_swap: dict = dict(type='mmregioncl.RegionSwap'),
                 region_weight: float = 1.0,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        wanted = dict(neck='forward_region', head='loss_region')
        for part, step in wanted.items():
            module = getattr(self, part)
            if not hasattr(module, step):
                raise TypeError(
                    f'{type(self).__name__} takes a {part} that knows regions,'
                    f' not {type(module).__name__}: set {part}.type to one of '
                    f'mmregioncl.Region...{part.capitalize()}')
        self.region_swap = TRANSFORMS.build(region_swap)
        self.region_weight = region_weight

    def project_regions(self, views: Tensor) -> Tuple[Tensor, Tensor]:
        """Swap regions between views and project them.

        Composites pass the backbone in a call of their own, so that batch
        norm sees whole views and composites apart, as in the official code.

        Args:
            views (Tensor): Shape (N, 3, H, W).

        Returns:
            tuple[Tensor, Tensor]: Canvas and paste, normalised, (N, D) each;
            row i of both belongs to image i.
        """
        composites, region = self.region_swap(views)
        features = self.backbone(composites)  # [(N, C, H/stride, W/stride)]
        stride = getattr(self.region_swap, 'stride', None)
        if stride:  # any callable may swap, but ours says on which grid
            check_grid(features[-1], composites, stride)
        canvas, paste = self.neck.forward_region(features, region)
        return F.normalize(canvas, dim=1), F.normalize(paste, dim=1)
