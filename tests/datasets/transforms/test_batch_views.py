"""Against the transforms of one image, with the same parameters and laws."""
import itertools
import random

import cv2
import numpy as np
import pytest
import torch
from mmcv.image import adjust_brightness, adjust_color, adjust_contrast
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS
from scipy.stats import ks_2samp
from sklearn.datasets import load_sample_image

from mmregioncl.datasets.transforms import batch_ops, batch_views, image_ops
from mmregioncl.datasets.transforms.augmentations import draw_crop
from mmregioncl.randomness import BatchDraws, mix_seeds

COUNT = 8
JITTER = dict(
    type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
STEPS = [
    dict(type='RandomResizedCrop', size=32, scale=(0.2, 1.), backend='pillow'),
    dict(type='RandomApply', transforms=[JITTER], prob=0.8),
    dict(
        type='RandomGrayscale',
        prob=0.2,
        keep_channels=True,
        channel_weights=(0.114, 0.587, 0.2989)),
    dict(type='RandomGaussianBlur', sigma_min=0.1, sigma_max=2., prob=0.5),
    dict(type='RandomSolarize', prob=0.2),
    dict(type='RandomFlip', prob=0.5)
]


@pytest.fixture(scope='module')
def images():
    """Pieces of photographs, 48x40 pixels."""
    photo = load_sample_image('china.jpg')[..., ::-1]
    photo = cv2.resize(photo, (320, 192), interpolation=cv2.INTER_AREA)
    pieces = photo.reshape(4, 48, 8, 40, 3).swapaxes(1, 2)
    return pieces.reshape(-1, 48, 40, 3)[4:4 + COUNT].copy()


def alike(one, other) -> bool:
    """Whether two samples may be of one law (Kolmogorov and Smirnov)."""
    return ks_2samp(one, other, method='asymp').pvalue > 1e-3


def batch_of(images) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float()


def apart(batch, images) -> tuple:
    """Mean and largest difference of the pixels."""
    assert torch.equal(batch, batch.round())
    difference = (batch - batch_of(np.stack(images))).abs()
    return difference.mean().item(), difference.max().item()


@pytest.mark.parametrize('interpolation, backend', [
    ('bilinear', 'pillow'),
    ('bicubic', 'pillow'),
    ('bilinear', 'cv2'),
])
@pytest.mark.parametrize('size', [(32, 32), (64, 24)])
def test_crops_and_resizes(images, interpolation, backend, size):
    images = images.copy()
    images[:, ::4, :20], images[:, :, :20:5] = 255, 0  # line art on the left
    random.seed(0)
    crops = [draw_crop((48, 40), (0.05, 1.), (0.5, 2.)) for _ in images]
    crops[0], crops[1] = (0, 0, 48, 40), (47, 39, 1, 1)
    wanted = [
        image_ops.resize_crop(image, crop[:2], crop[2:], size, interpolation,
                              backend) for image, crop in zip(images, crops)
    ]
    top, left, height, width = torch.tensor(crops).T
    found = batch_ops.resize_crops(
        batch_of(images), (top, left), (height, width), size, interpolation,
        backend == 'pillow')
    mean, most = apart(found, wanted)
    assert mean < 0.2 and most <= 1  # halves are rounded up or down


@pytest.mark.parametrize('step', range(3))
@pytest.mark.parametrize('factor', [0., 0.6, 1., 1.4, 2.])
def test_changes_one_thing_as_pillow(images, step, factor):
    factors = torch.ones(3, COUNT)
    factors[step] = factor
    order = torch.arange(4)[:, None].expand(4, COUNT)
    found = batch_ops.jitter_colors(batch_of(images), factors, None, order)
    change = (adjust_brightness, adjust_contrast, adjust_color)[step]
    mean, most = apart(
        found, [change(image, factor, backend='pillow') for image in images])
    assert mean < 0.01 and most <= 1


def test_jitters_in_the_order_of_each_image(images):
    draw = np.random.RandomState(0)
    every = [*itertools.permutations(range(4))]  # three batches
    for orders in zip(*[iter(every)] * COUNT):
        factors = draw.uniform(0.6, 1.4, (3, COUNT)).astype('f')
        hue = draw.uniform(-0.1, 0.1, COUNT).astype('f')
        found = batch_ops.jitter_colors(
            batch_of(images), torch.tensor(factors), torch.tensor(hue),
            torch.tensor(orders).T)
        wanted = [
            image_ops.jitter_colors(image, *map(float, (*parts, shift)), order)
            for image, parts, shift, order in zip(images, factors.T, hue,
                                                  orders)
        ]
        assert apart(found, wanted)[0] < 0.5


@pytest.mark.parametrize('hue', [-0.5, -0.1, 0., 0.002, 0.05, 0.5])
def test_shifts_hue(images, hue):
    found = batch_ops.shift_hue(batch_of(images), torch.full((COUNT, ), hue))
    mean, most = apart(found,
                       [image_ops.shift_hue(image, hue) for image in images])
    assert mean < 0.2 and most <= 6  # theirs has a hue of 8 bits
    if hue in (0., 0.002):  # less than a step of 8 bits
        assert torch.equal(found, batch_of(images))


def test_blurs(images):
    """A sigma for each image, by three taps and by many."""
    sigmas = [0.1, 0.3, 0.4, 0.49, 0.51, 0.8, 2., 5.]
    found = batch_ops.gaussian_blur(
        batch_of(images), torch.tensor(sigmas), max(sigmas))
    for blurred, image, sigma in zip(found, images, sigmas):
        mean, most = apart(blurred, [image_ops.gaussian_blur(image, sigma)])
        assert mean < 0.2 and most <= 1


def test_grays_and_solarizes(images):
    weights = 0.114, 0.587, 0.2989
    mean, most = apart(
        batch_ops.weighted_gray(batch_of(images), weights),
        [image_ops.weighted_gray(image, weights) for image in images])
    assert mean < 0.01 and most <= 1
    assert apart(
        batch_ops.solarize(batch_of(images), 100),
        [image_ops.solarize(image, 100) for image in images]) == (0, 0)


@pytest.mark.parametrize('shape, ratio', [((48, 40), (3 / 4, 4 / 3)),
                                          ((16, 64), (3 / 4, 4 / 3)),
                                          ((64, 16), (1, 2))])
def test_crops_are_drawn_by_one_law(shape, ratio):
    """Also where few crops fit, or none."""
    count, scale = 3000, (0.2, 1.)
    random.seed(0)
    wanted = np.array([draw_crop(shape, scale, ratio) for _ in range(count)])
    step = TRANSFORMS.build(
        dict(
            type='mmregioncl.RandomResizedCrop',
            size=8,
            scale=scale,
            ratio=ratio))
    draw = BatchDraws(mix_seeds(torch.zeros(1).long(), 0, count)[:, 0])
    found = batch_views.draw_crops(shape, step, draw).T.long().numpy()
    for box in (found, wanted):
        assert (box >= 0).all() and (box[:, :2] + box[:, 2:] <= shape).all()
    for column in range(4):
        assert alike(found[:, column], wanted[:, column])
    assert alike(*(box[:, 2] / box[:, 3] for box in (found, wanted)))


def test_views_have_one_law(images):
    """Light, contrast, color and sharpness of many views of an image."""
    count = 600
    pipeline = [dict(step) for step in STEPS]
    one, image = Compose(pipeline), images[-1]  # red roofs
    random.seed(0)
    np.random.seed(0)
    wanted = batch_of(
        np.stack([one(dict(img=image))['img'] for _ in range(count)]))
    many = TRANSFORMS.build(
        dict(type='BatchViews', transforms=[pipeline], num_views=1))
    batch = batch_of(image[None]).byte().expand(count, -1, -1, -1)
    found, = many(batch, torch.arange(count))

    def statistics(views):
        gray = views.mean(1)
        return dict(
            light=gray.mean((1, 2)),
            contrast=gray.std((1, 2)),
            color=views.std(1).mean((1, 2)),
            red=(views[:, 2] - views[:, 0]).mean((1, 2)),
            detail=gray.diff().abs().mean((1, 2)),
            side=(gray[..., :16] - gray[..., 16:]).mean((1, 2)))

    found, wanted = statistics(found), statistics(wanted)
    for name, values in found.items():
        assert alike(values, wanted[name]), name
    # Gray views, which alone have no color
    shares = [(part['color'] < 0.01).float().mean().item()
              for part in (found, wanted)]
    assert shares == pytest.approx([0.2, 0.2], abs=0.05)


def test_a_view_depends_on_seed_and_number_alone(images):
    """Not on the other images of its batch."""
    make = TRANSFORMS.build(
        dict(
            type='BatchViews', transforms=[STEPS, STEPS[:1]], num_views=[2,
                                                                         1]))
    batch, seeds = batch_of(images).byte(), torch.arange(COUNT) - 3
    views = make(batch, seeds)
    assert [tuple(view.shape) for view in views] == [(COUNT, 3, 32, 32)] * 3
    before = torch.get_rng_state()
    for turned, view in zip(make(batch.flip(0)[2:], seeds.flip(0)[2:]), views):
        assert torch.equal(turned.flip(0), view[:-2])
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in itertools.combinations(views, 2):
        assert ((one - other).abs().mean((1, 2, 3)) > 1).all()
    others = make(batch[:1].repeat(COUNT, 1, 1, 1), seeds)[0]
    for one, other in itertools.combinations(others, 2):
        assert not torch.equal(one, other)


def test_views_do_not_depend_on_the_device(images, device):
    make = TRANSFORMS.build(
        dict(type='BatchViews', transforms=[STEPS], num_views=2))
    batch, seeds = batch_of(images).byte(), torch.arange(COUNT)
    for view, wanted in zip(
            make(batch.to(device), seeds.to(device)), make(batch, seeds)):
        assert (view.cpu() - wanted).abs().mean() < 0.1  # rounded otherwise


@pytest.mark.parametrize('step', [
    dict(type='RandomApply', transforms=[dict(JITTER)], prob=0.6),
    dict(STEPS[2], prob=0.6),
    dict(STEPS[3], prob=0.6, sigma_min=1),
    dict(type='RandomSolarize', threshold=0, prob=0.6)
])
def test_changes_as_often(images, step):
    make = TRANSFORMS.build(
        dict(type='BatchViews', transforms=[[step]], num_views=1))
    count = 4000
    batch = batch_of(images[-1:, :3, :3]).byte().expand(count, -1, -1, -1)
    views, = make(batch, torch.arange(count))
    share = (views != batch).flatten(1).any(1).float().mean()
    assert share == pytest.approx(0.6, abs=0.03)  # standard error 0.008


def test_flips_as_often():
    flip = TRANSFORMS.build(
        dict(
            type='mmregioncl.RandomFlip',
            prob=[0.5, 0.2],
            direction=['vertical', 'diagonal']))
    count = 4000
    corners = torch.zeros(count, 1, 2, 2)
    corners[:, :, 0, 0] = 1
    flipped = batch_views.flip(flip, corners, BatchDraws(torch.arange(count)))
    shares = flipped.mean((0, 1)).flatten()  # standard error 0.008
    assert shares.tolist() == pytest.approx([0.3, 0, 0.5, 0.2], abs=0.03)


@pytest.mark.parametrize('step, message', [
    (dict(type='ContrastiveCrop', size=8), 'ContrastiveCrop of this kind do'),
    (dict(type='RandomResizedCrop', size=8, interpolation='area'),
     "with interpolation='area' and backend='cv2' does not work"),
    (dict(type='RandomResizedCrop', size=8, interpolation='bicubic'),
     "with interpolation='bicubic' and backend='cv2' does not work"),
    (dict(JITTER, backend='cv2'), "ColorJitter with backend='cv2' does"),
    (dict(type='RandomApply', transforms=[dict(JITTER, backend='cv2')]),
     "ColorJitter with backend='cv2' does not work on whole batches"),
    (dict(type='RandomGrayscale'), 'with keep_channels=False or in HSV'),
])
def test_steps_that_do_not_work_on_batches_are_refused(step, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(
            dict(type='BatchViews', transforms=[[step]], num_views=2))


def test_each_pipeline_has_a_number_of_views():
    with pytest.raises(ValueError, match='num_views=2 of BatchViews has to'):
        TRANSFORMS.build(
            dict(type='BatchViews', transforms=[STEPS, STEPS], num_views=2))


def test_colors_of_other_channels_are_refused():
    make = TRANSFORMS.build(
        dict(type='BatchViews', transforms=[STEPS], num_views=2))
    with pytest.raises(ValueError, match='ColorJitter changes saturation or'):
        make(torch.zeros(2, 4, 40, 40, dtype=torch.uint8), torch.arange(2))


def test_other_bands_have_their_brightness_changed_in_the_loader_alone():
    """As the error says: ``ColorJitter`` of one image takes them."""
    step = TRANSFORMS.build(dict(JITTER, saturation=0, hue=0))
    img = np.full((4, 4, 4), 9, np.uint8)
    assert step(dict(img=img))['img'].shape == img.shape
    make = TRANSFORMS.build(
        dict(type='BatchViews', transforms=[[step]], num_views=1))
    with pytest.raises(ValueError, match=r'4 channel\(s\) does not work on '):
        make(batch_of(img[None]).byte(), torch.arange(1))


def test_numbers_are_those_of_splitmix64():
    """The first three of seed 1234567, as in its reference."""
    words = mix_seeds(torch.tensor([1234567]), 0, 3)[:, 0]
    assert [word % 2**64 for word in words.tolist()] == [
        6457827717110365317, 3203168211198807973, 9817491932198370423
    ]
