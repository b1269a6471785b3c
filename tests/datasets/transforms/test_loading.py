import logging
from io import BytesIO

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, TRANSFORMS
from PIL import Image, UnidentifiedImageError
from sklearn.datasets import load_sample_image
from torch.utils.data import DataLoader

from mmregioncl.datasets import ImageFolder
from mmregioncl.datasets.transforms.loading import decode_jpeg


def encode(image, fmt: str, **kwargs) -> bytes:
    stream = BytesIO()
    image.save(stream, fmt, **kwargs)
    return stream.getvalue()


PHOTO = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (48, 64, 3), 'uint8'), (9, 9), 3)
RGB = Image.fromarray(PHOTO)
JPEG, PNG = encode(RGB, 'JPEG'), encode(RGB, 'PNG')

READABLE = {
    'grayscale.jpg':
    encode(RGB.convert('L'), 'JPEG'),
    'cmyk.jpg':
    encode(RGB.convert('CMYK'), 'JPEG'),
    'gray16.png':
    encode(Image.fromarray(PHOTO[..., 0].astype(np.uint16) * 257), 'PNG'),
    'color16.png':
    cv2.imencode('.png',
                 PHOTO.astype(np.uint16) * 257)[1].tobytes(),
    'alpha.png':
    encode(RGB.convert('RGBA'), 'PNG'),
    'palette.png':
    encode(RGB.convert('P'), 'PNG'),
    'one.png':
    encode(RGB.crop((0, 0, 1, 1)), 'PNG'),
    'line.png':
    encode(RGB.crop((0, 0, 64, 1)), 'PNG'),
}
CORRUPT = {
    'empty.jpg': b'',
    'text.jpg': b'not an image',
    'half.jpg': JPEG[:len(JPEG) // 2],
    'half.png': PNG[:len(PNG) // 2],
}

VIEW = dict(
    type='RandomResizedCrop', size=32, scale=(0.2, 1.), backend='pillow')
JITTER = dict(type='ColorJitter', brightness=0.4, saturation=0.4, hue=0.1)


def load(path, **kwargs):
    transform = TRANSFORMS.build(dict(type='mmregioncl.LoadImage', **kwargs))
    return transform(dict(img_path=str(path)))


@pytest.mark.parametrize('name', READABLE)
def test_every_kind_of_image_is_loaded_as_8_bit_bgr(name, tmp_path):
    (tmp_path / name).write_bytes(READABLE[name])
    results = load(tmp_path / name)
    assert results['img'].dtype == np.uint8
    assert results['img'].ndim == 3 and results['img'].shape[2] == 3
    # and passes the augmentation of the configs
    for transform in (VIEW, JITTER):
        results = TRANSFORMS.build(transform)(results)
    assert results['img'].shape == (32, 32, 3)


def test_colors_are_bgr(tmp_path):
    (tmp_path / 'a.png').write_bytes(PNG)
    assert np.array_equal(load(tmp_path / 'a.png')['img'], PHOTO[..., ::-1])


@pytest.mark.parametrize('name', CORRUPT)
def test_corrupt_file_is_named(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(CORRUPT[name])
    with pytest.raises(OSError, match=f'{name} as an image: repair or') as e:
        load(path, on_corrupt='raise')
    assert load(path) is None
    assert ('the file is empty' in str(e.value.__cause__)) == (
        name == 'empty.jpg')


def test_skipped_files_are_logged_once_in_a_run(tmp_path, capfd):
    """By one of the workers, and not by those of the next epoch again."""
    MMLogger.get_instance('skips', log_level=logging.WARNING)
    for name in 'abc':
        (tmp_path / f'{name}.jpg').write_bytes(b'x')
    (tmp_path / 'd.png').write_bytes(PNG)
    dataset = ImageFolder(
        str(tmp_path),
        pipeline=[dict(type='mmregioncl.LoadImage', most_corrupt=1)])
    loader = DataLoader(
        dataset, batch_size=None, sampler=[0, 1, 2], num_workers=1)
    for _ in range(2):
        list(loader)
    text = ''.join(capfd.readouterr())
    for name in 'abc':
        assert text.count(f'skipped {tmp_path}/{name}.jpg') == 1


def test_a_folder_of_corrupt_files_ends_the_run(tmp_path):
    """Rather than a search for a readable one without end."""
    for index in range(3):
        (tmp_path / f'{index}.jpg').write_bytes(b'x')
    dataset = DATASETS.build(
        dict(
            type='mmregioncl.ImageFolder',
            data_root=str(tmp_path),
            pipeline=[dict(type='mmregioncl.LoadImage')]))
    with pytest.raises(
            OSError,
            match='too many files cannot be read as images, 100 of '
            r'100 files so far, such as .*\.jpg .*: repair or remove them, or '
            'raise most_corrupt=0.1 of LoadImage'):
        dataset[0]


@pytest.mark.parametrize('share, ends', [(0.05, False), (0.09, False),
                                         (0.2, True)])
def test_the_share_of_corrupt_files_is_limited(tmp_path, share, ends):
    """To a tenth, and chance does not end the run of 20 workers."""
    (tmp_path / 'a.png').write_bytes(PNG)
    (tmp_path / 'b.png').write_bytes(b'x')
    draw = np.random.default_rng(0)
    for _ in range(20):
        transform = TRANSFORMS.build(dict(type='mmregioncl.LoadImage'))
        transform.decode = lambda results: 1 / (draw.random() > share)
        transform.logged[:] = True
        try:
            for _ in range(2000):
                transform(dict(img_path='x'))
            ended = False
        except OSError:
            ended = True
        assert ended == ends


def test_unknown_setting_is_refused():
    with pytest.raises(ValueError, match='most_corrupt=2 of LoadImage has'):
        load('x.jpg', most_corrupt=2)
    with pytest.raises(ValueError, match='must be "skip" or "raise"'):
        load('x.jpg', on_corrupt='ignore')


def test_a_folder_with_corrupt_files_gives_whole_epochs(tmp_path):
    for name, data in {**READABLE, **CORRUPT}.items():
        (tmp_path / name).write_bytes(data)
    dataset = DATASETS.build(
        dict(
            type='mmregioncl.ImageFolder',
            data_root=str(tmp_path),
            pipeline=[
                dict(type='mmregioncl.LoadImage'),
                dict(type='MultiView', num_views=2, transforms=[[VIEW]]),
                dict(type='PackSelfSupInputs', meta_keys=['img_path']),
            ]))
    shown = {dataset[i]['data_samples'].img_path for i in range(len(dataset))}
    assert len(dataset) == 12
    assert {path.rsplit('/', 1)[1] for path in shown} == set(READABLE)


@pytest.mark.parametrize('min_side, factor', [(427, 1), (213, 2), (107, 2),
                                              (106, 4), (20, 8)])
def test_large_photographs_are_decoded_smaller(min_side, factor, tmp_path):
    photo = load_sample_image('china.jpg')[..., ::-1]  # 427x640
    for name in ('photo.jpg', 'photo.png'):
        cv2.imwrite(str(tmp_path / name), photo)
    full, less = (
        TRANSFORMS.build(dict(type='mmregioncl.LoadImage', **settings))(
            dict(img_path=str(tmp_path / 'photo.jpg')))
        for settings in (dict(), dict(min_side=min_side)))
    height, width = (-(-side // factor) for side in (427, 640))
    assert less['img'].shape == (height, width, 3)
    assert less['img_shape'] == less['ori_shape'] == (height, width)
    assert less.keys() == full.keys()
    small = cv2.resize(
        full['img'], (width, height), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - less['img'].astype(int)).mean() < 8
    # PNGs are always decoded at full size.
    png = TRANSFORMS.build(
        dict(type='mmregioncl.LoadImage', min_side=min_side))(
            dict(img_path=str(tmp_path / 'photo.png')))
    assert (png['img'] == photo).all()


@pytest.mark.parametrize('settings, words', [
    (dict(min_side=0), 'min_side=0 of LoadImage has to be a whole number'),
    (dict(min_side=2.5), 'min_side=2.5 of LoadImage has to be a whole'),
    (dict(min_side=64,
          color_type='grayscale'), 'min_side of LoadImage need color_'),
    (dict(min_side=64,
          file_client_args=dict(backend='disk')), 'set backend_args instead'),
])
def test_invalid_min_side_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        TRANSFORMS.build(dict(type='mmregioncl.LoadImage', **settings))


def test_files_that_pillow_refuses_are_decoded_at_full_size(tmp_path):
    load = TRANSFORMS.build(
        dict(type='mmregioncl.LoadImage', min_side=100, on_corrupt='raise'))
    path = tmp_path / 'a.jpg'
    Image.new('RGB', (400, 300)).save(path)
    code = path.read_bytes()
    # an Adobe marker that is too short
    path.write_bytes(code[:2] + b'\xff\xee\x00\x08Adobe\0' + code[2:])
    with pytest.raises(UnidentifiedImageError):
        Image.open(path)
    assert load(dict(img_path=str(path)))['img'].shape == (300, 400, 3)

    path.write_bytes(code)
    assert load(dict(img_path=str(path)))['img'].shape == (150, 200, 3)


@pytest.mark.parametrize('settings', [
    dict(),
    dict(subsampling=0),
    dict(subsampling=1, quality=95),
    dict(progressive=True),
    dict(quality=10),
])
@pytest.mark.parametrize('mode', ['RGB', 'L'])
def test_plain_jpegs_are_decoded_as_by_opencv(mode, settings):
    photo = Image.fromarray(load_sample_image('flower.jpg')).convert(mode)
    for size in ((640, 427), (33, 17), (1, 1)):
        code = encode(photo.resize(size), 'JPEG', **settings)
        ours = decode_jpeg(code)
        theirs = cv2.imdecode(np.frombuffer(code, np.uint8), cv2.IMREAD_COLOR)
        assert (ours == theirs).all() and ours.flags.writeable


def test_other_files_are_left_to_opencv():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees
    for code in (PNG, READABLE['cmyk.jpg'], JPEG[:300], JPEG[:20], b'',
                 encode(RGB, 'JPEG', exif=exif)):
        assert decode_jpeg(code) is None


def test_photographs_are_rotated(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    RGB.save(tmp_path / 'rotated.jpg', exif=exif)
    load = TRANSFORMS.build(dict(type='mmregioncl.LoadImage'))
    assert load(dict(img_path=str(tmp_path /
                                  'rotated.jpg')))['img'].shape == (64, 48, 3)


def test_an_image_that_vanishes_is_skipped_and_named(tmp_path, capfd):
    """Also if its name cannot be written in UTF-8."""
    MMLogger.get_instance('vanished')
    names = ('gone.png', 'here.png', '\udcff gone.png')
    for name in names:
        cv2.imwrite(str(tmp_path / 'x.png'), np.zeros((8, 8, 3), np.uint8))
        (tmp_path / 'x.png').rename(tmp_path / name)
    dataset = ImageFolder(
        str(tmp_path), pipeline=[dict(type='mmregioncl.LoadImage')])
    for name in (names[0], names[2]):
        (tmp_path / name).unlink()
    for index in range(3):
        assert dataset[index]['img_path'] == str(tmp_path / 'here.png')
    text = ''.join(capfd.readouterr())
    assert f'skipped {tmp_path}/gone.png, which does not exist (1 of' in text
    assert f'skipped {tmp_path}/\\udcff gone.png, which does not ex' in text
    load = TRANSFORMS.build(
        dict(type='mmregioncl.LoadImage', on_corrupt='raise'))
    with pytest.raises(
            OSError,
            match='^cannot read .*/gone.png, which does not exist: restore it,'
            ' or correct the list that names it$'):
        load(dict(img_path=str(tmp_path / 'gone.png')))
    assert 'Logging error' not in text
