import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from mmregioncl.datasets.digits import write_digits


def test_two_thirds_are_for_training(tmp_path):
    root = write_digits(tmp_path / 'digits')
    train = {path.name for path in root.glob('train/*/*.png')}
    test = {path.name for path in root.glob('test/*/*.png')}
    assert len(train) == 1198 and len(test) == 599
    assert not train & test

    digits = load_digits()
    for path in root.glob('test/*/*.png'):
        assert digits.target[int(path.stem)] == int(path.parent.name)
    scan = Image.open(next(root.glob('train/0/*.png')))
    assert scan.size == (24, 24)
    assert np.ptp(np.array(scan)) > 200


def test_an_existing_folder_is_kept(tmp_path):
    (tmp_path / 'digits').mkdir()
    write_digits(tmp_path / 'digits')
    assert not list((tmp_path / 'digits').iterdir())
