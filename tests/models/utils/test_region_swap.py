import pytest
import torch
from mmengine.registry import MODELS, TRANSFORMS

from mmregioncl import host
from mmregioncl.models.utils import RegionSwap, swap_region


def region_swap(**kwargs):
    return TRANSFORMS.build(dict(type='mmregioncl.RegionSwap', **kwargs))


def test_composites_have_the_region_in_cells():
    swap = region_swap()
    views = torch.randn(4, 3, 224, 224)
    composites, region = swap(views)
    assert 3 <= region.height <= 5 and 3 <= region.width <= 5
    assert torch.equal(composites, swap_region(views, region.scale(32)))


def test_seed_decides_the_region():
    swap, views = region_swap(), torch.zeros(2, 3, 224, 224)
    regions = []
    for _ in range(2):
        torch.manual_seed(5)
        regions.append(swap(views)[1])
    assert regions[0] == regions[1]


@pytest.mark.parametrize('kwargs', [
    dict(size=2),
    dict(size=(2, )),
    dict(size=(2.5, 3)),
    dict(size=(3, 2)),
    dict(size=(0, 2)),
    dict(stride=0),
    dict(stride=8.5),
])
def test_impossible_settings_are_refused(kwargs):
    with pytest.raises(
            ValueError, match=f'^{next(iter(kwargs))}=.* of RegionSwap'):
        region_swap(**kwargs)


@pytest.mark.parametrize('shape, kwargs, message', [
    ((3, 3, 224, 224), {}, 'got a batch of 3: leave one of them out'),
    ((1, 3, 224, 224), {}, 'got a batch of 1: leave one of them out'),
    ((2, 3, 200, 224), {}, '200x224 pixels, which are not multiples of stri'),
    ((2, 3, 160, 160), dict(size=(3, 5)),
     'a region of 5x5 cells does not fit'),
    ((2, 3, 32, 32), dict(size=(3, 4),
                          stride=8), 'leaves no canvas on the 4x4 grid'),
    ((2, 3, 32, 32), {}, 'a region of 1x1 cells does not fit or leaves no'),
])
def test_bad_input_is_refused(shape, kwargs, message):
    with pytest.raises(ValueError, match=message):
        region_swap(**kwargs)(torch.zeros(shape))


@pytest.mark.parametrize('side, kwargs, least', [(32, {}, 64), (16, {}, 64),
                                                 (16, dict(stride=16), 32)])
def test_views_of_one_cell_are_refused_with_a_size_that_fits(
        side, kwargs, least):
    with pytest.raises(
            ValueError,
            match=f'^views of {side}x{side} pixels give a single cell, .*: set'
            f' the size of the crop in the train pipeline to {least} or more'):
        region_swap(**kwargs).fit((1, 1), (side, side))


@pytest.mark.parametrize('cells, size', [(7, (3, 5)), (4, (2, 3)), (8, (3, 6)),
                                         (12, (5, 9)), (14, (6, 10)),
                                         (3, (1, 2)), (2, (1, 1))])
def test_sizes_follow_from_the_grid(cells, size):
    """Those of the official 7 cells, and of all grids of our configs."""
    swap = region_swap().fit((cells, cells + 1), (8 * cells, 8 * cells + 8))
    assert (swap.size, swap.stride) == (size, 8)
    assert region_swap(size=(1, 2)).fit((7, 7), (224, 224)).size == (1, 2)


@pytest.mark.parametrize('backbone, size, expected', [
    (dict(type=f'{host.NAME}.ResNet', depth=18), (224, 224), ((3, 5), 32)),
    (dict(type=f'{host.NAME}.ResNet', depth=18), (224, 448), ((3, 5), 32)),
    (dict(type='mmregioncl.ResNet_CIFAR', depth=18), (32, 32), ((2, 3), 8)),
])
def test_regions_fit_the_backbone(backbone, size, expected):
    with torch.no_grad():
        maps = MODELS.build(backbone)(torch.zeros(1, 3, *size))[-1]
    swap = region_swap().fit(maps.shape[-2:], size)
    assert (swap.size, swap.stride) == expected


@pytest.mark.parametrize(
    'kwargs, grid, image_size, message',
    [
        (dict(stride=32), (14, 14), (224, 224), 'set its stride=16'),
        (dict(stride=9), (5, 5),
         (36, 36), 'use multiples of 8, such as 32 or 40$'),
        ({}, (7, 7), (200, 224), 'views of 200x224 pixels give 7x7 cells, so '
         '.*use multiples of 32, such as 192 or 224$'),
        ({}, (7, 6), (224, 224), 'use such sides$'),
        ({}, (300, 300), (224, 224), 'use such sides$'),
        ({}, (16, 16), (224, 224), 'use such sides, or set stride of Region'),
        # Strided convolutions round up: 32, 32 and 8 pixels per cell
        ({}, (4, 4), (112, 112), 'use multiples of 32, such as 96 or 128, or'),
        ({}, (7, 7), (196, 196), 'use multiples of 32, such as 192 or 224, '),
        ({}, (4, 4), (28, 28), 'use multiples of 8, such as 24 or 32, or'),
        ({}, (1, 1), (30, 30), 'crop in the train pipeline to 64 or more$'),
    ])
def test_grids_that_do_not_fit_are_refused(kwargs, grid, image_size, message):
    with pytest.raises(ValueError, match=message):
        region_swap(**kwargs).fit(grid, image_size)


def test_a_stride_that_is_set_may_be_any():
    """Patches of a transformer may have 14 pixels."""
    swap = region_swap(stride=14).fit((16, 16), (224, 224))
    assert (swap.size, swap.stride) == ((7, 11), 14)


def test_subclasses_fit_as_they_are():

    class Counting(RegionSwap):

        def __init__(self, owner: str) -> None:
            super().__init__()
            self.owner = owner

    swap = Counting('me').fit((7, 7), (224, 224))
    assert (type(swap), swap.owner, swap.stride) == (Counting, 'me', 32)
