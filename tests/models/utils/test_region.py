import re
from itertools import product

import pytest
import torch

from mmregioncl.models.utils import (Region, pool_region, sample_region,
                                     swap_region)

GRIDS = {7: (3, 5), 4: (2, 3)}


def legal_regions(cells: int, size: tuple) -> list:
    """Every region that the definition allows, listed without drawing."""
    sides = range(size[0], size[1] + 1)
    return [
        Region(top, left, height, width)
        for height, width in product(sides, sides)
        for top in range(cells - height + 1)
        for left in range(cells - width + 1)
    ]


@pytest.mark.parametrize('cells, stride', [(7, 32), (4, 8)])
def test_pooled_cells_are_the_pasted_pixels(cells, stride):
    """One color per image: nothing of another color may be pooled."""
    count, side = 6, cells * stride
    colors = torch.arange(1., count + 1)  # (N,)
    views = colors.view(-1, 1, 1, 1).expand(count, 3, side, side)
    for region in legal_regions(cells, GRIDS[cells]):
        composites = swap_region(views, region.scale(stride))
        features = torch.nn.functional.avg_pool2d(composites, stride)
        canvas, paste = pool_region(features, region)
        # Source order: row i of both is the color of image i, exactly.
        assert torch.equal(canvas, colors[:, None].expand(count, 3))
        assert torch.equal(paste, colors[:, None].expand(count, 3))
        # And the pixels of the paste in composite i are its partner's.
        inside = composites[region.scale(stride).window]
        assert torch.equal(inside[:, 0, 0, 0], colors.flip(0))


@pytest.mark.parametrize('cells', GRIDS)
def test_swapping_twice_restores_the_views(cells):
    views = torch.randn(4, 3, cells * 8, cells * 8)
    original = views.clone()
    for region in legal_regions(cells, GRIDS[cells]):
        pixels = region.scale(8)
        composites = swap_region(views, pixels)
        assert not torch.equal(composites, views)
        assert torch.equal(swap_region(composites, pixels), views)
    assert torch.equal(views, original)  # never changed in place


def test_pool_matches_float64_sums():
    features = torch.randn(4, 5, 7, 7)
    region = Region(1, 2, 3, 4)
    canvas, paste = pool_region(features, region)
    for image, channel in product(range(4), range(5)):
        sums, counts = [0., 0.], [0, 0]
        for row, col in product(range(7), range(7)):
            inside = 1 <= row < 4 and 2 <= col < 6
            sums[inside] += features[image, channel, row, col].item()
            counts[inside] += 1
        assert counts == [37, 12]
        assert canvas[image, channel].item() == pytest.approx(
            sums[0] / 37, abs=1e-6)
        # What lies in composite i is the paste of image N-1-i.
        assert paste[3 - image, channel].item() == pytest.approx(
            sums[1] / 12, abs=1e-6)


def test_sums_of_half_precision_do_not_overflow():
    features = torch.full((2, 3, 64, 64), 20., dtype=torch.float16)
    for pooled in pool_region(features, Region(0, 0, 9, 9)):
        assert pooled.dtype == torch.float16
        assert (pooled == 20).all()


@pytest.mark.parametrize('cells', GRIDS)
def test_all_legal_places_are_drawn_uniformly(cells):
    size = GRIDS[cells]
    generator = torch.Generator().manual_seed(1)
    draws, counts = 20000, {}
    for _ in range(draws):
        region = sample_region((cells, cells), size, generator)
        counts[region] = counts.get(region, 0) + 1
    legal = legal_regions(cells, size)
    assert set(counts) == set(legal)

    # Sides are uniform and independent; places are uniform given the sides.
    sides = (size[1] - size[0] + 1)**2
    chi2 = 0
    for region in legal:
        places = (cells - region.height + 1) * (cells - region.width + 1)
        expected = draws / sides / places
        chi2 += (counts[region] - expected)**2 / expected
    freedom = len(legal) - 1
    assert chi2 < freedom + 4 * (2 * freedom)**0.5  # four sigma


def test_generator_alone_decides():
    draws = [
        sample_region((7, 7), (3, 5),
                      torch.Generator().manual_seed(3)) for _ in range(2)
    ]
    assert draws[0] == draws[1]


@pytest.mark.parametrize('grid, size', [((4, 4), (2, 4)), ((4, 4), (2, 5)),
                                        ((1, 1), (1, 1)), ((2, 8), (1, 3))])
def test_region_that_leaves_no_canvas_is_refused(grid, size):
    with pytest.raises(ValueError, match='leaves no canvas on the') as refusal:
        sample_region(grid, size)
    # The size that the message names, if any, is a size that fits.
    named = re.search(r'size=\((\d), (\d)\)', str(refusal.value))
    assert bool(named) == (grid != (1, 1))
    if named:
        sample_region(grid, tuple(map(int, named.groups())))


@pytest.mark.parametrize('size', [(0, 2), (3, 2), (-1, 1)])
def test_impossible_size_is_refused(size):
    with pytest.raises(ValueError, match='from 1 on'):
        sample_region((7, 7), size)


def test_oblong_grid():
    region = sample_region((4, 8), (4, 4))
    assert (region.top, region.height, region.width) == (0, 4, 4)
