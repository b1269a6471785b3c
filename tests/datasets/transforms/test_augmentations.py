"""Against the transforms of mmselfsup and mmcv, on photographs."""
import itertools
import math
import random
from copy import deepcopy
from inspect import signature

import cv2
import numpy as np
import pytest
from mmcv.image import (adjust_brightness, adjust_color, adjust_contrast,
                        adjust_hue)
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import TRANSFORMS as ROOT
from mmengine.registry import DefaultScope
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_image

from mmregioncl.datasets.nested import typed_dicts
from mmregioncl.datasets.transforms import FAST, image_ops

pytestmark = pytest.mark.mmselfsup
CHANGES = (adjust_brightness, adjust_contrast, adjust_color, adjust_hue)


@pytest.fixture(scope='module')
def photographs():
    """Photographs of a temple and of a flower, 427x640."""
    return [
        load_sample_image(name)[..., ::-1].copy()
        for name in ('china.jpg', 'flower.jpg')
    ]


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmselfsup'):
        yield


def distance(ours, theirs):
    """Mean absolute difference of 8-bit values."""
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    return np.abs(ours.astype(int) - theirs.astype(int)).mean()


def views_of(base):
    """The pipeline of one of mmselfsup's bases, after loading."""
    path = f'mmselfsup::selfsup/_base_/datasets/{base}.py'
    cfg = Config.fromstring(f'_base_ = {path!r}', '.py')
    return cfg._cfg_dict.to_dict()['train_pipeline'][1:]


def faster(pipeline):
    """The same by this package's transforms."""
    pipeline = deepcopy(pipeline)
    for step in typed_dicts(pipeline):
        if step['type'] in FAST:
            step['type'] = f'mmregioncl.{step["type"]}'
    return pipeline


@pytest.mark.parametrize('base', [
    'imagenet_mocov1', 'imagenet_mocov2', 'imagenet_byol', 'imagenet_simclr',
    'imagenet_swav_mcrop-2-6'
])
def test_one_seed_gives_the_same_views(base, photographs):
    pipeline = views_of(base)
    theirs, ours = Compose(pipeline), Compose(faster(pipeline))
    distances = []
    drawn = []
    for pipeline in (theirs, ours):
        random.seed(0)
        np.random.seed(0)
        # One after the other, so that a draw more or less would shift all
        drawn.append([
            pipeline(dict(img=img, img_path=''))['inputs']
            for img in photographs * 6
        ])
    for their_views, our_views in zip(*drawn):
        distances += [
            distance(a.numpy(), b.numpy())
            for a, b in zip(their_views, our_views)
        ]
    assert len(distances) >= 24
    assert max(distances) < 2 and np.mean(distances) < 0.7


@pytest.mark.parametrize('name', FAST)
def test_settings_are_those_of_mmselfsup_and_mmcv(name):
    theirs = ROOT.get(f'mmselfsup.{name}') or ROOT.get(f'mmcv.{name}')
    ours = ROOT.get(f'mmregioncl.{name}')
    assert ours is not theirs
    settings, wanted = ({
        name: parameter.default
        for name, parameter in signature(one).parameters.items()
    } for one in (ours, theirs))
    assert settings.keys() == wanted.keys()
    for setting, default in settings.items():
        assert default in (wanted[setting], ()), setting  # () for []


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
@pytest.mark.parametrize('extent', [(400, 420), (120, 100), (60, 640),
                                    (300, 50), (1, 1)])
@pytest.mark.parametrize('size', [(224, 224), (96, 160)])
def test_resizes_as_pillow(size, extent, interpolation, photographs):
    for img in photographs:
        before = img.copy()
        ours = image_ops.resize_crop(img, (7, 0), extent, size, interpolation,
                                     'pillow')
        crop = Image.fromarray(img[7:7 + extent[0], :extent[1]])
        theirs = np.array(
            crop.resize(size[::-1], getattr(Image, interpolation.upper())))
        assert distance(ours, theirs) < 0.6
        assert (img == before).all()


@pytest.mark.parametrize('order', [*itertools.permutations(range(4))])
def test_jitters_as_pillow(order, photographs):
    draw = np.random.RandomState(order[0])
    for img in photographs:
        img = cv2.resize(img, (96, 64), interpolation=cv2.INTER_AREA)
        for _ in range(4):
            factors = [*draw.uniform(0.6, 1.4, 3), draw.uniform(-0.1, 0.1)]
            theirs = img
            for step in order:
                theirs = CHANGES[step](theirs, factors[step], backend='pillow')
            ours = image_ops.jitter_colors(img, *factors, order)
            assert distance(ours, theirs) < 2


@pytest.mark.parametrize('step, factor', [(0, 0.), (0, 0.5), (0, 2.), (1, 0.),
                                          (1, 0.5), (1, 2.), (2, 0.), (2, 0.5),
                                          (2, 2.), (3, -0.5), (3, 0.5),
                                          (3, 0.), (3, 0.002)])
def test_changes_one_thing_as_pillow(step, factor, photographs):
    factors = [None] * 4
    factors[step] = factor
    for img in photographs:
        ours = image_ops.jitter_colors(img, *factors, range(4))
        theirs = CHANGES[step](img, factor, backend='pillow')
        assert distance(ours, theirs) < 1


def test_what_has_no_factor_stays(photographs):
    img = photographs[0]
    assert image_ops.jitter_colors(img, None, None, None, None,
                                   range(4)) is img


@pytest.mark.parametrize('name, settings, message', [
    ('RandomResizedCrop', dict(
        size=8, backend='PIL'), "backend='PIL' of .* be one of cv2, pillow"),
    ('RandomResizedCrop', dict(size=8,
                               interpolation='x'), "interpolation='x' of"),
    ('RandomResizedCrop', dict(size=8, scale=(0, 1)), 'scale=.* range of pos'),
    ('RandomResizedCrop', dict(size=8, scale=.2), 'scale=0.2 .* range of po'),
    ('RandomResizedCrop', dict(size=8, scale=(2, 3)), 'no crop would fit int'),
    ('ContrastiveCrop', dict(size=8, scale=(2, 3)), 'scale=.* of Contrastive'),
    ('RandomResizedCrop', dict(size=0), 'size=0 of RandomResizedCrop has to'),
    ('RandomResizedCrop', dict(size='8'), "size='8' of .* number of pixels"),
    ('RandomResizedCrop', dict(size=(8, )), r'size=\(8,\) of .* number of pi'),
    ('RandomGaussianBlur', dict(sigma_min=-1, sigma_max=2), 'sigma_min=-1'),
    ('RandomGaussianBlur', dict(sigma_min=0, sigma_max=math.inf), 'sigma_min'),
    ('RandomResizedCrop', dict(size=4, max_attempts=0), 'max_attempts=0'),
    ('RandomGaussianBlur', dict(sigma_min=2, sigma_max=1), 'sigma_min=2 and'),
    ('ColorJitter', dict(backend='PIL'),
     "backend='PIL' of ColorJitter has to"),
    ('ColorJitter', dict(brightness=-0.1), 'brightness=-0.1 of ColorJitter'),
    ('ColorJitter', dict(contrast=(0.2, 0.1)), 'contrast='),
    ('ColorJitter', dict(hue=0.6), 'hue=0.6 of ColorJitter has to'),
    ('ColorJitter', dict(hue=-0.1), 'hue=-0.1'),
    ('ColorJitter', dict(hue='0.1'), 'hue=0.1'),
    ('RandomSolarize', dict(prob='1'), "prob='1' of RandomSolarize"),
    ('RandomSolarize', dict(prob=2), 'prob=2 of RandomSolarize'),
])
def test_invalid_settings_are_refused(name, settings, message):
    with pytest.raises(ValueError, match=message):
        ROOT.build(dict(type=f'mmregioncl.{name}', **settings))


def test_steps_tell_their_settings():
    """A half width stays above 0, and one of 0 changes nothing."""
    jitter = ROOT.build(
        dict(
            type='mmregioncl.ColorJitter',
            brightness=0.25,
            contrast=2,
            hue=np.float32(0.5),
            backend='cv2'))
    assert repr(jitter) == (
        'ColorJitter(brightness=(0.75, 1.25), contrast=(0, 3.0), '
        'saturation=None, hue=(-0.5, 0.5), backend=cv2)')
    blur, solarize = (ROOT.build(
        dict(type=f'mmregioncl.Random{name}', **settings))
                      for name, settings in (('GaussianBlur',
                                              dict(sigma_min=1, sigma_max=2)),
                                             ('Solarize', {})))
    assert repr(blur) == (
        'RandomGaussianBlur(sigma_min=1, sigma_max=2, prob=0.5)')
    assert repr(solarize) == 'RandomSolarize(threshold=128, prob=0.5)'


@pytest.mark.parametrize('sigma', [0.1, 0.3, 0.49, 0.51, 0.8, 1.3, 2.])
def test_blurs_as_pillow(sigma, photographs):
    for img in photographs:
        theirs = np.array(
            Image.fromarray(img).filter(ImageFilter.GaussianBlur(sigma)))
        assert distance(image_ops.gaussian_blur(img, sigma), theirs) < 1


def test_grays_and_solarizes_as_mmcv(photographs):
    img = photographs[1]
    for name, settings, most in (('RandomGrayscale',
                                  dict(
                                      prob=1.,
                                      keep_channels=True,
                                      channel_weights=(0.114, 0.587, 0.2989)),
                                  0.05), ('RandomSolarize',
                                          dict(prob=1., threshold=100),
                                          0), ('RandomFlip', dict(prob=1.), 0),
                                 ('RandomFlip',
                                  dict(prob=1., direction='diagonal'), 0)):
        results = [
            ROOT.build(dict(type=scope + name, **settings))(dict(img=img))
            for scope in ('', 'mmregioncl.')
        ]
        assert distance(*(result['img'] for result in results)) <= most
        assert results[0].keys() == results[1].keys()


def test_other_settings_are_the_parents(photographs):
    img = photographs[0]
    boxes = np.array([[10., 20., 30., 60.]])
    for name, settings in (
        ('RandomGrayscale', dict(prob=1.)),  # one channel
        ('RandomGrayscale', dict(prob=0., color_format='hsv')),
        ('ColorJitter', dict(brightness=0.4, hue=0.1, backend='cv2')),
        ('RandomResizedCrop', dict(size=64)),  # by OpenCV
        ('RandomResizedCrop', dict(size=(64, 32), interpolation='lanczos')),
        ('RandomSolarize', dict(prob=1., threshold=100)),
        ('RandomFlip',
         dict(prob=[0.5, 0.5], direction=['vertical', 'diagonal']))):
        results = []
        for scope in ('', 'mmregioncl.'):
            random.seed(1)
            np.random.seed(1)
            transform = ROOT.build(dict(type=scope + name, **settings))
            results.append(
                transform(dict(img=img.copy(), gt_bboxes=boxes.copy())))
        assert (results[0]['img'] == results[1]['img']).all()
        assert (results[0]['gt_bboxes'] == results[1]['gt_bboxes']).all()
        np.testing.assert_equal(results[0], results[1])


@pytest.mark.parametrize('name', ['Flip', 'GaussianBlur', 'Solarize'])
def test_one_channel_stays_one(name, photographs):
    img = photographs[0][:40, :50, :1]
    settings = dict(
        sigma_min=1., sigma_max=1.) if name == 'GaussianBlur' else {}
    transform = ROOT.build(
        dict(type=f'mmregioncl.Random{name}', prob=1., **settings))
    assert transform(dict(img=img))['img'].shape == (40, 50, 1)


def test_flips_as_often(photographs):
    flip = ROOT.build(dict(type='mmregioncl.RandomFlip', prob=0.3))
    np.random.seed(0)
    img = photographs[0][:2, :2]
    flips = [flip(dict(img=img))['flip'] for _ in range(4000)]
    # Standard error 0.007
    assert abs(np.mean(flips) - 0.3) < 0.03


def test_other_pixels_are_solarized_by_the_parent(photographs):
    img = photographs[0].astype('float32')
    theirs, ours = (
        ROOT.build(dict(type=f'{scope}RandomSolarize', prob=1.))(dict(img=img))
        for scope in ('', 'mmregioncl.'))
    assert (theirs['img'] == ours['img']).all()


def test_any_size_of_image_is_taken():
    """Single pixels, lines and long strips, by a whole pipeline."""
    pipeline = views_of('imagenet_byol')
    theirs, ours = Compose(pipeline), Compose(faster(pipeline))
    for size in ((1, 2), (1, 50), (50, 1), (2, 3), (1000, 7), (7, 1000)):
        img = cv2.GaussianBlur(
            np.random.randint(0, 256, (*size, 3), 'uint8'), (9, 9), 3)
        drawn = []
        for both in (theirs, ours):
            random.seed(0)
            np.random.seed(0)
            drawn.append(both(dict(img=img, img_path=''))['inputs'])
        for one, other in zip(*drawn):
            assert distance(one.numpy(), other.numpy()) < 3
