"""Images of any depth and number of bands."""
from importlib.util import find_spec
from io import BytesIO
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import tifffile
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS
from PIL import Image, ImageEnhance

from mmregioncl.datasets.transforms import bands, check_color_steps
from mmregioncl.datasets.transforms.image_ops import jitter_bands

DRAW = np.random.default_rng(0)
GRAY = DRAW.integers(0, 4096, (20, 30), 'uint16')
RGB = DRAW.integers(0, 65536, (20, 30, 3), 'uint16')
REAL = DRAW.normal(0, 1, (20, 30)).astype(np.float32)
BANDS = DRAW.integers(0, 4096, (20, 30, 8), 'uint16')


def tiff(values, **kwargs) -> bytes:
    stream = BytesIO()
    tifffile.imwrite(stream, values, **kwargs)
    return stream.getvalue()


def png(values) -> bytes:
    return cv2.imencode('.png', values)[1].tobytes()


def load(content: bytes, folder, **settings) -> np.ndarray:
    (folder / 'image').write_bytes(content)
    step = dict(type='mmregioncl.LoadImage', on_corrupt='raise', **settings)
    return TRANSFORMS.build(step)(dict(img_path=str(folder / 'image')))['img']


def scaled(values, low: float, high: float) -> np.ndarray:
    """The definition, in float64."""
    return np.rint(
        (255 * (np.float64(values) - low) / (high - low)).clip(0, 255))


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(
    'content', [png(GRAY), tiff(GRAY)], ids=['png', 'tiff'])
def test_12_bits_in_a_16_bit_file_keep_their_shades(content, channels,
                                                    tmp_path):
    img = load(content, tmp_path, channels=channels, value_range=(0, 4095))
    assert img.dtype == np.uint8 and img.shape == (20, 30, channels)
    assert (img == scaled(GRAY, 0, 4095)[..., None]).all()
    assert len(np.unique(load(content, tmp_path))) <= 16  # without


@pytest.mark.parametrize(
    'content', [
        png(RGB[..., ::-1]),
        tiff(RGB, photometric='rgb'),
        tiff(np.dstack((RGB, RGB[..., :1])), photometric='rgb')
    ],
    ids=['png', 'tiff', 'alpha'])
def test_pairs_of_colors_are_in_the_order_of_the_file(content, tmp_path):
    """And the image is BGR."""
    pairs = ((0, 65535), (0, 1000), (500, 20000))
    img = load(content, tmp_path, value_range=pairs)
    for band, pair in enumerate(pairs):
        assert (img[..., 2 - band] == scaled(RGB[..., band], *pair)).all()


@pytest.mark.parametrize('kind', ['float16', 'float32', 'float64', 'int32'])
def test_real_and_long_numbers_need_a_range(kind, tmp_path):
    values = (100 * REAL).astype(kind)
    for channels in (1, 3):
        img = load(
            tiff(values), tmp_path, channels=channels, value_range=(-50, 150))
        assert (img == scaled(values, -50, 150)[..., None]).all()
        with pytest.raises(OSError, match=f'of type {kind}: set value_range'):
            load(tiff(values), tmp_path, channels=channels)


def test_nan_is_black_and_inf_is_clipped():
    values = np.float32([[[np.nan], [-np.inf], [np.inf], [0]]])
    assert bands.to_bytes(values, (-1, 1)).ravel().tolist() == [0, 0, 255, 128]


def test_signed_numbers(tmp_path):
    values = np.int16([[-1000, -1, 0, 1, 3000]])
    img = load(tiff(values), tmp_path, channels=1, value_range=(-1000, 3000))
    assert (img[..., 0] == scaled(values, -1000, 3000)).all()


@pytest.mark.parametrize('layout', ['contig', 'separate', 'channels'])
@pytest.mark.parametrize('count', [2, 4, 5, 8])
def test_bands_keep_their_order(count, layout, tmp_path):
    values = BANDS[..., :count]
    settings = dict(photometric='minisblack', planarconfig=layout)
    if layout != 'contig':
        values = values.transpose(2, 0, 1)
    if layout == 'channels':
        settings = dict(imagej=True, metadata=dict(axes='CYX'))
    pairs = tuple((0, 1000 * (1 + band)) for band in range(count))
    img = load(
        tiff(values, **settings), tmp_path, channels=count, value_range=pairs)
    for band, pair in enumerate(pairs):
        assert (img[..., band] == scaled(BANDS[..., band], *pair)).all()


def test_other_numbers_of_bands_are_refused(tmp_path):
    eight = tiff(BANDS, photometric='minisblack', planarconfig='contig')
    for channels in (1, 3, 4):
        with pytest.raises(
                OSError,
                match='it has 8 band.s.: set channels=8 of LoadImage '
                f'instead of {channels}'):
            load(eight, tmp_path, channels=channels)
    with pytest.raises(OSError, match='has 8 band.*has 2 pairs: set one'):
        load(eight, tmp_path, channels=8, value_range=((0, 1), (0, 1)))
    # Four bands that are no colors: OpenCV would read the first alone.
    four = tiff(
        BANDS[..., :4], photometric='minisblack', planarconfig='contig')
    assert (load(four, tmp_path) == scaled(BANDS[..., 2::-1], 0, 65535)).all()


@pytest.mark.parametrize('channels', [1, 3])
def test_two_bands_are_gray_with_alpha_only_if_they_say_so(channels, tmp_path):
    """Radar images have two bands of equal rank."""
    two = RGB[..., :2].astype('uint8')
    for extra in ('unassalpha', 'unspecified'):
        content = tiff(two, photometric='minisblack', planarconfig='contig',
                       extrasamples=[extra])  # yapf: disable
        if extra == 'unassalpha':
            assert (load(content, tmp_path,
                         channels=channels) == two[..., :1]).all()
            continue
        with pytest.raises(OSError, match='it has 2 band.s.: set channels=2'):
            load(content, tmp_path, channels=channels)


def test_channels_of_imagej_are_bands(tmp_path):
    """They have a page each; a stack would have its first image."""
    two = np.moveaxis(RGB[..., :2].astype('uint8'), -1, 0)
    channels, stack = (
        tiff(two, imagej=True, metadata=dict(axes=axes))
        for axes in ('CYX', 'ZYX'))
    with pytest.raises(OSError, match='it has 2 band.s.: set channels=2'):
        load(channels, tmp_path)
    assert (load(stack, tmp_path) == two[0, ..., None]).all()


def test_rgba_as_four_bands(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 4), 'uint8')
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, 'PNG')
    assert (load(stream.getvalue(), tmp_path, channels=4) == pixels).all()


def test_colors_become_gray(tmp_path):
    img = load(tiff(RGB, photometric='rgb'), tmp_path, channels=1)
    luma = RGB @ (0.299, 0.587, 0.114) / 257
    assert np.abs(img[..., 0] - luma).max() < 1


def test_the_first_image_of_a_stack(tmp_path):
    stack = tiff(
        np.stack([GRAY, GRAY[::-1]])[:, None],
        imagej=True,
        metadata=dict(axes='ZCYX'))
    for content in (stack, tiff(np.stack([GRAY, GRAY[::-1]]))):
        img = load(content, tmp_path, channels=1, value_range=(0, 4095))
        assert (img[..., 0] == scaled(GRAY, 0, 4095)).all()


def pages(write) -> bytes:
    """A TIFF that a function writes."""
    stream = BytesIO()
    with tifffile.TiffWriter(stream) as file:
        write(file)
    return stream.getvalue()


STACK = np.stack([GRAY] * 5)


@pytest.mark.parametrize('content', [
    pages(lambda file: [file.write(GRAY, metadata=None) for _ in range(5)]),
    pages(lambda file: [file.write(GRAY, subfiletype=2) for _ in range(5)]),
    tiff(STACK),
    tiff(STACK, imagej=True, metadata=dict(axes='ZYX')),
    tiff(STACK, ome=True, metadata=dict(axes='TYX'))
], ids=['pages', 'scans', 'shaped', 'imagej', 'ome'])  # yapf: disable
def test_bands_in_pages_of_their_own(content, tmp_path):
    """As some programs save them: which pages are bands is not known."""
    with pytest.raises(
            OSError,
            match='channels=1 of LoadImage instead of 5, or save its bands in '
            'one page, since only the first image is read$'):
        load(content, tmp_path, channels=5)


@pytest.mark.parametrize('kinds', [(0, ), (0, 1)])
def test_an_overview_has_no_bands(kinds, tmp_path):
    content = pages(
        lambda file:
        [file.write(GRAY, metadata=None, subfiletype=kind) for kind in kinds])
    with pytest.raises(OSError, match='channels=1 of LoadImage instead of 5$'):
        load(content, tmp_path, channels=5)


@pytest.mark.parametrize('axes', ['ZYX', 'CZYX'])
def test_later_images_of_a_stack_are_not_decoded(axes, tmp_path):
    """Here they are damaged."""
    values = np.random.default_rng(0).integers(0, 256,
                                               (2, 2, 20, 30)[-len(axes):],
                                               'uint8')
    content = tiff(values, metadata=dict(axes=axes), compression='zlib')
    with tifffile.TiffFile(BytesIO(content)) as file:
        start = file.pages[1].dataoffsets[0]
    damaged = content[:start] + bytes(20) + content[start + 20:]
    bands = values.shape[0] if 'C' in axes else 1
    first = values.reshape(bands, 2, 20, 30)[:, 0]
    img = load(damaged, tmp_path, channels=bands)
    assert (img == first.transpose(1, 2, 0)).all()


@pytest.mark.parametrize('values', [RGB.astype('uint8'), GRAY])
def test_headers_of_later_images_are_not_read(values, tmp_path, monkeypatch):
    """They may be thousands."""
    stream = BytesIO()
    with tifffile.TiffWriter(stream) as file:
        for page in range(3):
            file.write(values + page, metadata=None)
    monkeypatch.delattr(tifffile.TiffFile, 'series')
    high = np.iinfo(values.dtype).max
    img = load(stream.getvalue(), tmp_path, value_range=(0, high))
    wanted = values if values.ndim == 3 else values[..., None]
    assert (img == scaled(wanted[..., ::-1], 0, high)).all()


def test_what_tifffile_cannot_read_is_left_to_opencv(tmp_path):
    values = RGB.astype('uint8')
    content = tiff(values, photometric='rgb')
    assert content.count(b'[20, 30, 3]}') == 1  # a comment, here damaged
    img = load(content.replace(b'3]}', b'3]_'), tmp_path)
    assert (img == values[..., ::-1]).all()


def test_white_is_zero_in_some_tiffs(tmp_path):
    content = tiff(GRAY, photometric='miniswhite')
    img = load(content, tmp_path, channels=1, value_range=(61440, 65535))
    assert (img[..., 0] == scaled(65535 - GRAY, 61440, 65535)).all()


@pytest.mark.parametrize('kind', ['float32', 'int16'])
def test_no_number_of_other_types_is_white(kind, tmp_path):
    """They stay as they are, as in tifffile, Pillow and OpenCV."""
    values = (100 * REAL).astype(kind)
    content = tiff(values, photometric='miniswhite')
    img = load(content, tmp_path, value_range=(-50, 150))
    assert (img == scaled(values, -50, 150)[..., None]).all()


def test_a_tiff_is_opened_once(tmp_path, monkeypatch):
    opened = Mock(wraps=tifffile.TiffFile)
    monkeypatch.setattr(tifffile, 'TiffFile', opened)
    load(tiff(REAL), tmp_path, value_range=(-1, 1))
    opened.assert_called_once()


def test_bilevel_and_12_bits_of_white_is_zero(tmp_path):
    scan = GRAY > 2000
    for white in (False, True):
        content = tiff(
            scan, photometric='miniswhite' if white else 'minisblack')
        for more in (dict(), dict(value_range=(0, 1))):
            img = load(content, tmp_path, channels=1, **more)
            assert (img[..., 0] == 255 * (scan != white)).all()
    if find_spec('imagecodecs'):  # which packs 12 bits; it needs numpy 2
        packed = tiff(GRAY, photometric='miniswhite', bitspersample=12)
        img = load(packed, tmp_path, channels=1, value_range=(0, 4095))
        assert (img[..., 0] == scaled(4095 - GRAY, 0, 4095)).all()


def test_signed_numbers_need_no_range(tmp_path):
    values = np.int16([[-32768, -100, 0, 100, 32767]])
    for channels in (1, 3):
        img = load(tiff(values), tmp_path, channels=channels)
        assert (img[..., 0] == scaled(values, -32768, 32767)).all()


@pytest.mark.parametrize('kind', ['int16', 'float16', 'uint32'])
def test_colors_of_any_type_become_gray(kind, tmp_path):
    values = (RGB // 1000).astype(kind)
    content = tiff(values, photometric='rgb')
    img = load(content, tmp_path, channels=1, value_range=(0, 65))
    luma = values @ (0.299, 0.587, 0.114) / 65 * 255
    assert np.abs(img[..., 0] - luma).max() < 1


def test_ink_is_four_bands(tmp_path):
    ink = np.random.default_rng(0).integers(0, 256, (20, 30, 4), 'uint8')
    content = tiff(ink, photometric='separated')
    assert (load(content, tmp_path, channels=4) == ink).all()
    assert load(content, tmp_path).shape == (20, 30, 3)


def test_complex_numbers_are_refused(tmp_path):
    with pytest.raises(OSError, match='type complex64: save their magnitude'):
        load(tiff(REAL.astype('complex64')), tmp_path, value_range=(0, 1))


def test_opencv_reads_tiffs_if_there_is_no_tifffile(tmp_path, monkeypatch):
    monkeypatch.setattr('mmregioncl.datasets.transforms.tiff.tifffile', None)
    img = load(tiff(GRAY), tmp_path, channels=1, value_range=(0, 4095))
    assert (img[..., 0] == scaled(GRAY, 0, 4095)).all()
    eight = tiff(BANDS, photometric='minisblack', planarconfig='contig')
    with pytest.raises(OSError, match='install tifffile and imagecodecs'):
        load(eight, tmp_path, channels=8)


@pytest.mark.parametrize('value', [(1, 1), (2, 1), 255, (0, 1, 2), 'x',
                                   (0, np.inf), ((0, 1), (1, 0)), (),
                                   (-1e308, 1e308), (0, 5e-324)])
def test_ranges_rise(value):
    with pytest.raises(ValueError, match='the values that become 0 and 255'):
        TRANSFORMS.build(dict(type='mmregioncl.LoadImage', value_range=value))


@pytest.mark.parametrize('settings, words', [
    (dict(channels=4, min_side=64), 'min_side=64 of LoadImage is for 8-bit'),
    (dict(channels=0), 'channels=0 of LoadImage has to be a whole number'),
    (dict(value_range=(0, 9), color_type='grayscale'), 'need color_type='),
])
def test_settings_that_exclude_each_other(settings, words):
    with pytest.raises(ValueError, match=words):
        TRANSFORMS.build(dict(type='mmregioncl.LoadImage', **settings))


@pytest.mark.parametrize('channels', [1, 2, 4, 5, 16])
def test_any_number_of_bands_passes_the_augmentations(channels):
    """Each channel as if it were alone, and in its place."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, channels),
                                               'uint8')
    steps = [
        dict(type='RandomResizedCrop', size=32, backend='pillow'),
        dict(type='ColorJitter', brightness=0.4, contrast=0.4),
        dict(type='RandomGaussianBlur', sigma_min=0.1, sigma_max=2, prob=1),
        dict(type='RandomSolarize', prob=1),
        dict(type='RandomFlip', prob=1.)
    ]
    steps = [TRANSFORMS.build(step) for step in steps]

    def views(img):
        import random
        random.seed(0)
        np.random.seed(0)
        sample = dict(img=img)
        for step in steps:
            sample = step(sample)
        pack = TRANSFORMS.build(dict(type='mmregioncl.PackSelfSupInputs'))
        return pack(sample)['inputs'][0]

    together = views(pixels)
    assert together.shape == (channels, 32, 32)
    alone = [views(pixels[..., band, None])[0] for band in range(channels)]
    apart = np.abs(np.stack(alone).astype(int) - together.numpy().astype(int))
    assert apart.max() <= 1  # kernels differ in rounding


def test_brightness_and_contrast_of_bands_are_pillows():
    draw = np.random.default_rng(0)
    for _ in range(100):
        pixels = draw.integers(0, 256, (9, 11, 6), 'uint8')
        brightness, contrast = draw.uniform(0, 2, 2)
        order = draw.permutation(4)
        ours = jitter_bands(pixels, brightness, contrast, order)
        for band in range(6):
            image = Image.fromarray(pixels[..., band])
            for step in order:
                if step == 0:
                    image = ImageEnhance.Brightness(image).enhance(brightness)
                if step == 1:
                    image = ImageEnhance.Contrast(image).enhance(contrast)
            assert (np.asarray(image) == ours[..., band]).all()


@pytest.mark.parametrize('name, settings', [
    ('mmregioncl.ColorJitter', dict(brightness=0.4, hue=0.1)),
    ('mmregioncl.ColorJitter', dict(saturation=0.4)),
    ('mmregioncl.RandomGrayscale', dict(prob=1., keep_channels=True)),
])
def test_steps_that_need_colors_say_so(name, settings):
    step = TRANSFORMS.build(dict(type=name, **settings))
    words = 'which images of 4 channel.s. do not have: (use|leave)'
    with pytest.raises(ValueError, match=words):
        step(dict(img=np.zeros((8, 8, 4), np.uint8)))
    four, three = (
        Compose([dict(type='mmregioncl.LoadImage', channels=count), step])
        for count in (4, 3))
    with pytest.raises(ValueError, match=words):
        check_color_steps(four)
    check_color_steps(three)
