import pickle

import numpy as np
import pytest
from mmengine.registry import DATASETS


def stl10(root, **kwargs):
    return DATASETS.build(
        dict(type='mmregioncl.STL10', data_root=str(root), **kwargs))


@pytest.fixture
def root(tmp_path):
    """Two labeled and three unlabeled images in the official layout."""
    rgb = np.random.randint(0, 256, (5, 96, 96, 3), np.uint8)
    for split, part in dict(train=rgb[:2], unlabeled=rgb[2:]).items():
        # one channel after the other, each column by column
        part.transpose(0, 3, 2, 1).tofile(tmp_path / f'{split}_X.bin')
    np.array([10, 1], np.uint8).tofile(tmp_path / 'train_y.bin')
    return tmp_path, rgb


def test_images_are_loaded_as_bgr(root):
    root, rgb = root
    dataset = stl10(root)
    assert len(dataset) == 5
    for index in range(5):
        info = dataset.get_data_info(index)
        assert np.array_equal(info['img'], rgb[index][..., ::-1])
        assert info['gt_label'] == [9, 0, -1, -1, -1][index]
    assert len(stl10(root, splits='train')) == 2
    assert len(stl10(root, indices=3)) == 3


def test_a_spawned_worker_reads_the_same(root):
    root, rgb = root
    dataset = stl10(root)
    dataset.get_data_info(0)
    blob = pickle.dumps(dataset)
    assert len(blob) < 20000  # the map is not in it
    image = pickle.loads(blob).get_data_info(4)['img']
    assert np.array_equal(image, rgb[4][..., ::-1])


def test_invalid_files_are_named(root):
    root = root[0]
    with pytest.raises(FileNotFoundError, match='test_X.bin: set data_root'):
        stl10(root, splits=['test'])
    (root / 'train_y.bin').write_bytes(b'1')
    with pytest.raises(ValueError, match='train_y.bin has 1 labels for 2'):
        stl10(root)
    (root / 'train_X.bin').write_bytes(b'1' * 1000)
    with pytest.raises(ValueError, match='train_X.bin does not hold whole'):
        stl10(root)
