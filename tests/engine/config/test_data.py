import zipfile

import pytest
from mmengine.config import Config

from mmregioncl.engine.config import check_data


@pytest.fixture
def data_cfg(tmp_path):
    (tmp_path / 'train.json').touch()
    (tmp_path / 'images').mkdir()
    dataset = dict(
        data_root=str(tmp_path),
        ann_file='train.json',
        data_prefix=dict(img='images/'))
    return Config(
        dict(
            train_dataloader=dict(
                dataset=dict(dataset=dict(datasets=[dataset, dataset]))),
            val_dataloader=None,
            test_dataloader=dict(dataset=dict(data_root='/nowhere'))))


def test_existing_data(data_cfg):
    """Only the dataloaders that are named are checked."""
    check_data(data_cfg, 'train_dataloader', 'val_dataloader')
    data_cfg.val_dataloader = dict(
        dataset=dict(data_root='s3://bucket/coco', ann_file='a.json'))
    check_data(data_cfg, 'val_dataloader')


@pytest.mark.parametrize('change, what', [
    (dict(data_root='/no/coco'), '/no/coco'),
    (dict(ann_file='val.json'), '.*/val.json'),
    (dict(data_prefix=dict(img='val/')), '.*/val/'),
    (dict(data_prefix='/no/cifar'), '/no/cifar'),
])
def test_missing_data_is_named_with_what_to_set(data_cfg, change, what):
    data_cfg.train_dataloader.dataset.dataset.datasets[1].update(change)
    place = 'train_dataloader.dataset.dataset.datasets.1'
    with pytest.raises(
            FileNotFoundError,
            match=f'^{place} reads {what}, which does not exist: link the '
            f'data there, or set {place}.data_root$'):
        check_data(data_cfg, 'train_dataloader')


def test_folders_to_evaluate(tmp_path):
    folders = dict(train=str(tmp_path), test='/no/test')
    with pytest.raises(
            FileNotFoundError, match='^eval_datasets.test=/no/test does not'):
        check_data(Config(dict(eval_datasets=folders)), 'eval_datasets')


def test_misspelled_paths_are_named_before_the_default_folder(data_cfg):
    part = data_cfg.train_dataloader.dataset.dataset.datasets[1]
    part.update(dataroot=part.data_root, data_root='data/images')
    with pytest.raises(
            FileNotFoundError,
            match=r'exist: correct the name of dataroot \(data_root\?\)$'):
        check_data(data_cfg, 'train_dataloader')


def test_several_folders_take_a_data_set_each():
    given = dict(train_dataloader=dict(dataset=dict(data_root=['a', 'b'])))
    words = r"set.data_root=\['a', 'b'\] is not a path: for several folders, "
    with pytest.raises(ValueError, match=words):
        check_data(Config(given), 'train_dataloader')


def test_data_of_evaluations_is_checked(data_cfg, tmp_path):
    """Data that is downloaded is not."""
    data_cfg.eval_datasets = dict(
        train=dict(data_root=str(tmp_path)), test=dict(data_root='/nowhere'))
    with pytest.raises(
            FileNotFoundError, match='^eval_datasets.test reads /n'):
        check_data(data_cfg, 'eval_datasets')
    data_cfg.eval_datasets.test.download = True
    check_data(data_cfg, 'eval_datasets')


def test_paths_and_compressed_annotations_are_left_alone(data_cfg, tmp_path):
    (tmp_path / 'ann.json.gz').touch()
    part = data_cfg.train_dataloader.dataset.dataset.datasets[1]
    part.clear()
    part.update(type='Any', data_root=tmp_path, ann_file='ann.json.gz')
    check_data(data_cfg, 'train_dataloader')


def test_data_in_an_archive_is_found(data_cfg, tmp_path):
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as archive:
        archive.writestr('train/list.txt', '1.png')
    part = data_cfg.train_dataloader.dataset.dataset.datasets[1]
    part.clear()
    part.update(
        type='mmregioncl.ImageFolder',
        data_root=f'{tmp_path}/x.zip/train',
        ann_file='list.txt')
    check_data(data_cfg, 'train_dataloader')
    part.ann_file = 'other.txt'
    with pytest.raises(FileNotFoundError, match='x.zip/train/other.txt, whi'):
        check_data(data_cfg, 'train_dataloader')
    part.update(type='CustomDataset', ann_file='list.txt')
    with pytest.raises(ValueError, match='a folder: write archive:///.*train'):
        check_data(data_cfg, 'train_dataloader')
    part.data_root = f'archive://{part.data_root}'
    check_data(data_cfg, 'train_dataloader')
    part.update(data_root='/data/\udcff')
    with pytest.raises(ValueError, match='is not valid UTF-8, as configs ha'):
        check_data(data_cfg, 'train_dataloader')
