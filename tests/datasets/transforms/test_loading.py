import logging
from io import BytesIO

import cv2
import numpy as np
import pytest
from mmengine.registry import DATASETS, TRANSFORMS
from PIL import Image


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
    'colour16.png':
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
def test_every_kind_of_image_comes_out_as_8_bit_bgr(name, tmp_path):
    (tmp_path / name).write_bytes(READABLE[name])
    results = load(tmp_path / name)
    assert results['img'].dtype == np.uint8
    assert results['img'].ndim == 3 and results['img'].shape[2] == 3
    # and passes the augmentation of the configs
    for transform in (VIEW, JITTER):
        results = TRANSFORMS.build(transform)(results)
    assert results['img'].shape == (32, 32, 3)


def test_colours_are_bgr(tmp_path):
    (tmp_path / 'a.png').write_bytes(PNG)
    assert np.array_equal(load(tmp_path / 'a.png')['img'], PHOTO[..., ::-1])


@pytest.mark.parametrize('name', CORRUPT)
def test_corrupt_file_is_named(name, tmp_path, caplog):
    path = tmp_path / name
    path.write_bytes(CORRUPT[name])
    with pytest.raises(OSError, match=f'{name} as an image: mend or remove'):
        load(path, on_corrupt='raise')
    assert load(path) is None


def test_skipped_file_is_logged_once(tmp_path, capfd):
    from mmengine.logging import MMLogger
    MMLogger.get_instance('skips', log_level=logging.WARNING)
    path = tmp_path / 'broken.jpg'
    path.write_bytes(b'x')
    transform = TRANSFORMS.build(dict(type='mmregioncl.LoadImage'))
    for _ in range(3):
        assert transform(dict(img_path=str(path))) is None
    out, err = capfd.readouterr()
    assert (out + err).count(f'skipped {path}') == 1


def test_unknown_setting_is_refused():
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
