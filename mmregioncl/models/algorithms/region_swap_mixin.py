from typing import List, Tuple

from torch import Tensor

from mmregioncl.registry import TRANSFORMS
from ..utils import check_grid, check_pairs


class RegionSwapMixin:
    """What every RegionCL algorithm adds to its parent.

    Args:
        region_swap (dict): Transform of a batch of views to composites and
            the region in them. Defaults to ``mmregioncl.RegionSwap`` with
            its official sizes, for ResNet-50 at 224 pixels.
        region_weight (float): Weight of the region loss, 0 or more. Defaults
            to 1.0.
        **kwargs: Arguments of the parent, which refuses unknown ones.
    """
    # The parts that an algorithm takes, or subclasses of them
    neck_type: type
    head_type: type

    def __init__(self,
                 *args,
                 region_swap: dict = dict(type='mmregioncl.RegionSwap'),
                 region_weight: float = 1.0,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for part in ('neck', 'head'):
            module, wanted = getattr(self, part), getattr(self, f'{part}_type')
            if not isinstance(module, wanted):
                raise TypeError(
                    f'{type(self).__name__} takes a {part} that knows regions,'
                    f' not {type(module).__name__}: set {part}.type to '
                    f'mmregioncl.{wanted.__name__}')
        if not 0 <= region_weight < float('inf'):
            raise ValueError(f'region_weight={region_weight} has to be 0 or '
                             'a positive number')
        self.region_swap = TRANSFORMS.build(region_swap)
        self.region_weight = region_weight

    def take_views(self, inputs: List[Tensor]) -> Tuple[Tensor, Tensor]:
        """The two views of a batch.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.

        Raises:
            ValueError: If they are not two, not of one size, or not of an even
                batch.
        """
        name = type(self).__name__
        if len(inputs) != 2:
            raise ValueError(f'{name} takes two views, not {len(inputs)}: set '
                             'num_views=2 of MultiView')
        first, second = (tuple(view.shape) for view in inputs)
        if first != second:
            raise ValueError(
                f'{name} takes views of one size, not {first} and {second}: '
                'crop both to the same size')
        check_pairs(len(inputs[0]))
        return tuple(inputs)

    def project_regions(self, views: Tensor) -> Tuple[Tensor, Tensor]:
        """Swap regions between views and project them.

        Composites pass the backbone in a call of their own, as in the official
        code: batch norm normalises whole views and composites apart, and its
        running statistics average over both.

        Args:
            views (Tensor): Shape (N, 3, H, W).

        Returns:
            tuple[Tensor, Tensor]: Canvas and paste, (N, D) each, not
            normalised; row i of both belongs to image i.
        """
        composites, region = self.region_swap(views)
        features = self.backbone(composites)  # [(N, C, H/stride, W/stride)]
        stride = getattr(self.region_swap, 'stride', None)
        if stride:  # any callable may swap, but ours says on which grid
            check_grid(features[-1], composites, stride)
        return self.neck.forward_region(features, region)
