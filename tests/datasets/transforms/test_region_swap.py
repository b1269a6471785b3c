import pytest
import torch
from mmengine.registry import TRANSFORMS

from mmregioncl.models.utils import swap_region


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
    dict(size=(2., 3.)),
    dict(size=(3, 2)),
    dict(size=(0, 2)),
    dict(stride=0),
    dict(stride=8.),
    dict(stride=None),
])
def test_impossible_settings_are_refused(kwargs):
    with pytest.raises(ValueError, match='takes two whole numbers of cells'):
        region_swap(**kwargs)


@pytest.mark.parametrize('shape, kwargs, message', [
    ((3, 3, 224, 224), {}, 'a batch of 3: set an even batch_size'),
    ((1, 3, 224, 224), {}, 'a batch of 1: set an even batch_size'),
    ((2, 3, 200, 224), {}, '200x224 pixels, which are no multiple of stride'),
    ((2, 3, 160, 160), {}, 'a region of 5x5 cells does not fit or'),
    ((2, 3, 32, 32), dict(stride=8), 'leaves no canvas on the 4x4 grid'),
])
def test_bad_input_is_refused(shape, kwargs, message):
    with pytest.raises(ValueError, match=message):
        region_swap(**kwargs)(torch.zeros(shape))
