from inspect import signature
from typing import List, Optional, Tuple

from torch import Tensor

from mmregioncl import host
from mmregioncl.validation import check_number, is_number
from ..parents import (BaseModel, class_of, map_advice, stage_advice,
                       with_settings)
from ..utils import (MAP_SETTINGS, RegionSwap, build_region_swap, check_region,
                     paired)


class RegionSwapMixin(BaseModel):
    """What every RegionCL algorithm adds to its parent.

    Args:
        backbone (dict): With one feature map as output. Options that make it
            return a map are set unless given.
        neck (dict): Config of the neck. The parent's type is replaced by its
            region neck.
        head (dict): Config of the head. The parent's type is replaced by its
            region head.
        *args: Further arguments of the parent.
        region_swap (dict): Transform of a batch of views to composites and
            the region in them. Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss, 0 or more. Defaults
            to 1.0.
        region_share (float, optional): Share of the images whose first view is
            shown only as a composite, between 0 and 1. A step then takes as
            many passes as the parent's. Defaults to None, as published: the
            first view of every image is shown both whole and as a composite.
        **kwargs: Further arguments of the parent, which refuses unknown ones.

    Raises:
        TypeError: If neck or head is missing or does not support regions.
        ValueError: If region_weight is not a finite number from 0 on, or
            region_share is not between 0 and 1.
    """
    # The region neck and head, subclasses of the parent's
    neck_type: type
    head_type: type
    map_settings = MAP_SETTINGS  # of backbones that have them

    def __init__(self,
                 backbone: dict,
                 neck: dict,
                 head: dict,
                 *args,
                 region_swap: dict = dict(type='mmregioncl.RegionSwap'),
                 region_weight: float = 1.0,
                 region_share: Optional[float] = None,
                 **kwargs) -> None:
        name = type(self).__name__
        for key, cfg in dict(neck=neck, head=head).items():
            if not isinstance(cfg, dict):
                raise TypeError(
                    f'{key}={cfg!r} of {name} has to be the config of a {key}:'
                    f" set model.{key}=dict(type='mmregioncl."
                    f"{getattr(self, f'{key}_type').__name__}', ...)")
        backbone = with_settings(backbone, self.map_settings)
        super().__init__(backbone, region_part(neck, self.neck_type),
                         region_part(head, self.head_type), *args, **kwargs)
        for part in ('neck', 'head'):
            module, wanted = getattr(self, part), getattr(self, f'{part}_type')
            if not isinstance(module, wanted):
                scope = wanted.__module__.partition('.')[0]
                raise TypeError(
                    f'{name} needs a {part} that supports regions,'
                    f' not {type(module).__name__}: set {part}.type to '
                    f'{scope}.{wanted.__name__} or a subclass')
        self.backbone_cfg = backbone
        self.neck.map_advice = map_advice(backbone, self.map_settings)
        self.neck.stage_advice = stage_advice(backbone)
        self.region_swap = build_region_swap(region_swap)
        self.region_weight = check_number('region_weight', region_weight, name)
        if region_share is not None and not (is_number(region_share)
                                             and 0 < region_share < 1):
            raise ValueError(
                f'region_share={region_share!r} of {name} has to be above 0 '
                'and below 1: leave it out to show every image whole and as a '
                'composite')
        self.region_share = region_share

    @property
    def least_whole(self) -> int:
        """Smallest number of whole images that the losses accept."""
        return 2

    @property
    def least_batch(self) -> int:
        """Images in the smallest batch: regions are swapped between two."""
        return self.least_whole + (2 if self.region_share else 0)

    def take_views(self, inputs: List[Tensor]) -> Tuple[Tensor, Tensor]:
        """The two views of a batch.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.

        Raises:
            ValueError: If there are not two, if their sizes differ, or if
                there are fewer than `least_batch` images.
        """
        name = type(self).__name__
        if len(inputs) != 2:
            raise ValueError(f'{name} needs two views, not {len(inputs)}: set '
                             'num_views=2 of MultiView')
        first, second = (tuple(view.shape) for view in inputs)
        if first != second:
            raise ValueError(
                f'{name} needs views of one size, not {first} and {second}: '
                'crop both to the same size')
        if first[0] < self.least_batch:
            raise ValueError(
                f'{name} needs {self.least_batch} images in a batch, but got '
                f'{first[0]}: set a larger batch_size, and drop_last=True in '
                'train_dataloader')
        return inputs[0], inputs[1]

    def split(self, count: int) -> Tuple[slice, slice]:
        """Split the first views into composites and whole ones.

        Second views are always whole.

        Args:
            count (int): Images of a batch, N.

        Returns:
            tuple[slice, slice]: The M images that are shown as composites and
            the U images that are shown whole: all images each, as published;
            with `region_share`, the first M, an even number, and the others.
        """
        if self.region_share is None:
            return slice(None), slice(None)
        pairs = round(self.region_share * count / 2)
        pairs = max(1, min(pairs, (count - self.least_whole) // 2))
        return slice(2 * pairs), slice(2 * pairs, None)

    def project_regions(self, views: Tensor,
                        grid: Tuple[int, int]) -> Tuple[Tensor, Tensor]:
        """Swap regions between views and project them.

        Composites pass through the backbone separately, as in the official
        code: batch norm normalizes whole views and composites separately, and
        its running statistics average over both. The last image of an odd
        batch has no partner and no regions.

        Args:
            views (Tensor): Shape (N, 3, H, W).
            grid (tuple[int, int]): Rows and columns of the feature map of a
                whole view.

        Returns:
            tuple[Tensor, Tensor]: Canvas and paste, (M, D) each, not
            normalized; row i of both belongs to image i. M is N, or N - 1 if
            that is odd.
        """
        swap = self.region_swap
        if isinstance(swap, RegionSwap):  # not for any other callable
            swap = swap.fit(grid, (views.shape[2], views.shape[3]))
        composites, region = swap(paired(views))
        check_region(region, grid)
        features = self.backbone(composites)  # [(N, C, Hf, Wf)]
        return self.neck.forward_region(features, region)


def region_part(cfg: dict, wanted: type) -> dict:
    """Replace the parent's type of a neck or head by the region type.

    Args:
        cfg (dict): Config of a neck or head.
        wanted (type): The region neck or head.

    Returns:
        dict: The config. If its type is one of the classes of the host that
        `wanted` derives from, it has the type `wanted` and the defaults of
        that class. Other types stay.
    """
    given = class_of(cfg)
    if given not in wanted.__mro__[1:] or \
            not given.__module__.startswith(f'{host.NAME}.'):
        return cfg  # unknown types raise an error when they are built
    defaults = {
        name: parameter.default
        for name, parameter in signature(given).parameters.items()
        if parameter.default is not parameter.empty
    }
    return {**defaults, **cfg, 'type': wanted}
