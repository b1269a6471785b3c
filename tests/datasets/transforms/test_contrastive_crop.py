import random
from collections import Counter

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS
from scipy.stats import chisquare, ks_2samp

from mmregioncl.datasets.transforms.contrastive_crop import place_crop

SIZE = dict(size=32, scale=(0.2, 1.0), backend='pillow')


def build(**settings):
    return TRANSFORMS.build(
        dict(dict(type='mmregioncl.ContrastiveCrop', **SIZE), **settings))


def random_resized_crop():
    return TRANSFORMS.build(dict(type='mmselfsup.RandomResizedCrop', **SIZE))


@pytest.mark.mmselfsup
def test_uniform_over_the_whole_image_is_random_resized_crop():
    """Tops, lefts, heights and widths have the same distribution."""
    random.seed(0)
    img = np.zeros((60, 90, 3), np.uint8)
    parent = random_resized_crop()
    theirs = []
    for _ in range(5000):
        top, left, bottom, right = parent.get_params(img, parent.scale,
                                                     parent.ratio)
        theirs.append((top, left, bottom - top + 1, right - left + 1))
    crop = build(alpha=1)
    ours = [crop.draw_crop((60, 90), (0, 0, 1, 1)) for _ in range(5000)]
    for one, other in zip(zip(*ours), zip(*theirs)):
        assert ks_2samp(one, other).pvalue > 0.01
    # Given the height of the crop, all positions are equally likely.
    places = Counter(place_crop(12, 5, 0, 1, 1.0) for _ in range(8000))
    assert sorted(places) == list(range(8))
    assert chisquare(list(places.values())).pvalue > 0.01


@pytest.mark.parametrize('alpha, middle, ends', [(0.1, 0.095, 0.76),
                                                 (0.4, 0.28, 0.36),
                                                 (0.6, 0.38, 0.23),
                                                 (1, 0.5, 0.1)])
def test_alpha_keeps_the_crop_off_the_middle(alpha, middle, ends):
    """Mass of Beta(alpha, alpha) in the middle half and outer twentieths."""
    random.seed(0)
    places = np.array(
        [place_crop(2000, 1001, 0, 1, alpha) for _ in range(20000)]) / 999
    assert np.mean((places > 0.25) & (places < 0.75)) == pytest.approx(
        middle, abs=0.02)
    assert np.mean((places < 0.05) | (places > 0.95)) == pytest.approx(
        ends, abs=0.02)


@pytest.mark.parametrize('box', [(0, 0, 1, 1), (0.9, 0.8, 0.97, 0.97),
                                 (0, 0, 0.05, 0.2), (0.5, 0.3, 0.5, 0.3),
                                 (1, 1, 1, 1), (0.4, 0, 0.6, 1)])
@pytest.mark.parametrize('size', [(32, 32), (31, 47), (500, 333)])
def test_crops_stay_in_the_image_and_centers_in_the_box(box, size):
    random.seed(0)
    crop = build(alpha=0.3)
    for _ in range(300):
        top, left, height, width = crop.draw_crop(size, box)
        sides = zip((top, left), (height, width), size, box[:2], box[2:])
        for start, extent, length, low, high in sides:
            assert 0 <= start <= start + extent <= length
            centre = start + extent // 2
            # unless the border of the image is in the way
            assert start == 0 or centre <= length * high
            assert start + extent == length or centre >= int(length * low)


@pytest.mark.mmselfsup
@pytest.mark.parametrize('size', [(10, 300), (300, 10), (40, 40)])
def test_central_crop_if_no_size_fits(size):
    """The fallback is the parent's."""
    crop = build(scale=(1, 1), ratio=(1.3, 4 / 3))
    top, left, bottom, right = random_resized_crop().get_params(
        np.zeros(size), crop.scale, crop.ratio)
    assert crop.draw_crop(size,
                          (0, 0, 0.1, 0.1)) == (top, left, bottom - top + 1,
                                                right - left + 1)


def test_views_are_drawn_independently():
    random.seed(0)
    img = np.random.randint(0, 256, (48, 64, 3), np.uint8)
    views = TRANSFORMS.build(
        dict(
            type='MultiView',
            num_views=2,
            transforms=[[
                dict(type='mmregioncl.ContrastiveCrop', **SIZE, alpha=0.1)
            ]]))
    one, other = views(dict(img=img, ccrop_box=(0.1, 0.1, 0.8, 0.7)))['img']
    assert one.shape == other.shape == (32, 32, 3)
    assert not np.array_equal(one, other)


@pytest.mark.mmselfsup
def test_pixels_are_those_of_the_crop(monkeypatch):
    """Resized as in the parent."""
    img = np.random.randint(0, 256, (48, 64, 3), np.uint8)
    crop, parent = build(fixed_box=(0, 0, 1, 1)), random_resized_crop()
    monkeypatch.setattr(crop, 'draw_crop', lambda *args: (5, 9, 30, 40))
    monkeypatch.setattr(parent, 'get_params', lambda **args: (5, 9, 34, 48))
    ours, theirs = crop(dict(img=img)), parent(dict(img=img))
    np.testing.assert_allclose(ours['img'], theirs['img'], atol=1)
    assert ours['img_shape'] == theirs['img_shape'] == (32, 32)


@pytest.mark.mmselfsup
def test_without_a_box_it_is_the_parent():
    img = np.random.randint(0, 256, (48, 64, 3), np.uint8)
    views = []
    for transform in (build(), random_resized_crop()):
        random.seed(0)
        views.append(transform(dict(img=img, ccrop_box=None))['img'])
    np.testing.assert_allclose(*views, atol=1)


def test_fixed_box_needs_no_boxes():
    """SimCCrop."""
    random.seed(0)
    crop = build(alpha=0.1, fixed_box=(.25, .25, .75, .75))
    assert crop(dict(img=np.zeros((40, 40, 3), np.uint8)))['img'].shape == (32,
                                                                            32,
                                                                            3)
    with pytest.raises(KeyError, match='add mmregioncl.SemanticLocalization'):
        build()(dict(img=np.zeros((40, 40, 3), np.uint8)))


@pytest.mark.parametrize('settings', [
    dict(alpha=0),
    dict(alpha=0.001),
    dict(scale=(-1, 1)),
    dict(ratio=(0, 1)),
    dict(alpha=float('inf')),
    dict(alpha=float('nan')),
    dict(fixed_box=(0, 0, 1)),
    dict(fixed_box=(.5, 0, .4, 1)),
    dict(fixed_box=(0, 0, 224, 224))
])
def test_invalid_settings_are_refused(settings):
    with pytest.raises(ValueError, match='has to be'):
        build(**settings)


def test_repr_has_all_settings():
    text = repr(build(alpha=0.1, fixed_box=(0, 0, 1, 1)))
    assert text.endswith('backend=pillow, alpha=0.1, '
                         'fixed_box=(0, 0, 1, 1))')
    assert text.startswith('ContrastiveCrop(size=(32, 32)')
