import hashlib
import pickle

import cv2
import numpy as np
import pytest
from mmengine.registry import DATASETS

from mmregioncl.datasets import CIFAR10, CIFAR100


def cifar(root, classes=10, **kwargs):
    return DATASETS.build(
        dict(
            type=f'mmregioncl.CIFAR{classes}', data_prefix=str(root),
            **kwargs))


@pytest.fixture
def images():
    noise = np.random.randint(0, 256, (3, 4, 4, 3), np.uint8)
    return [cv2.resize(image, (32, 32)) for image in noise]  # BGR


def test_archive(images, tmp_path):
    codes = [cv2.imencode('.jpg', image)[1] for image in images]
    np.savez(
        tmp_path / 'test.npz',
        jpeg=np.concatenate(codes),
        offset=np.cumsum([0] + [len(code) for code in codes]),
        labels=np.array([7, 0, 3]))
    dataset = cifar(tmp_path, test_mode=True)
    assert dataset.get_gt_labels().tolist() == [7, 0, 3]
    for index, image in enumerate(images):
        error = dataset.get_data_info(index)['img'].astype(int) - image
        assert np.abs(error).mean() < 5  # no channel is swapped


@pytest.mark.parametrize('jpeg, labels', [
    (b'not a jpeg', [1]),
    (cv2.imencode('.jpg', np.zeros((32, 32, 3), np.uint8))[1], [1, 2]),
])
def test_broken_archive_is_named(tmp_path, jpeg, labels):
    np.savez(
        tmp_path / 'train.npz',
        jpeg=np.frombuffer(bytes(jpeg), np.uint8),
        offset=np.array([0, len(jpeg)]),
        labels=np.array(labels))
    with pytest.raises(ValueError, match=r'train.npz has 1 images, . of'):
        cifar(tmp_path)


@pytest.mark.parametrize('dataset, classes, labels', [
    (CIFAR10, 10, 'labels'),
    (CIFAR100, 100, 'fine_labels'),
])
def test_official_pickles_are_loaded_as_bgr(images, tmp_path, monkeypatch,
                                            dataset, classes, labels):
    folder = tmp_path / dataset.base_folder
    folder.mkdir()

    def dump(name, content) -> list:
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    rgb = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).reshape(3, -1)
    batch = dump('data_batch_1', {'data': rgb, labels: [7, 0, 3]})
    monkeypatch.setattr(dataset, 'train_list', [batch])
    monkeypatch.setattr(dataset, 'test_list', [])
    built = cifar(tmp_path, classes)
    assert built.get_gt_labels().tolist() == [7, 0, 3]
    for index, image in enumerate(images):
        assert np.array_equal(built.get_data_info(index)['img'], image)


@pytest.mark.parametrize('classes', [10, 100])
def test_nothing_is_downloaded_by_default(tmp_path, classes):
    with pytest.raises(RuntimeError, match=f'Cannot find CIFAR{classes} data'):
        cifar(tmp_path, classes)
