import re
import shutil
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.registry import DATASETS
from PIL import Image

from mmregioncl.datasets.transforms import LoadImage
from mmregioncl.evaluation import (check_class_folders, class_folder, data,
                                   eval_dataset, eval_pipeline, model_config,
                                   read_labels, view_size)
from mmregioncl.evaluation.data import describe_dataset
from mmregioncl.evaluation.protocols import knn, linear


def test_protocols_tell_that_one_class_tells_nothing(monkeypatch):
    monkeypatch.setattr(data, 'print_log', told := Mock())
    labels = torch.zeros(4).long()
    for found, said in ((labels, True), (labels + torch.arange(4), False)):
        run = Mock(
            seed=0, features=lambda split, found=found: (torch.eye(4), found))
        for protocol, settings in ((knn, dict(k=[1])), (linear,
                                                        dict(epochs=1))):
            told.reset_mock()
            protocol(run, **settings)
            assert told.called == said


@pytest.mark.parametrize('size, edge', [(224, 256), (96, 109), (32, 32)])
def test_eval_pipeline(size, edge):
    resize = eval_pipeline(size)[1]
    assert resize['scale'] == edge


def test_every_kind_of_file_counts(image_folder, tmp_path):
    shutil.copytree(image_folder, tmp_path / 'images')
    Image.open(next(image_folder.glob('a/*.png'))).save(tmp_path / 'images' /
                                                        'a' / 'x.webp')
    dataset = DATASETS.build(class_folder(str(tmp_path / 'images'), 32))
    assert len(dataset) == 13


def test_class_folders_in_an_archive(tmp_path):
    for name, shade in (('train/cat/1', 1), ('train/dog/1', 2),
                        ('test/cat/1', 3), ('test/dog/1', 4)):
        path = tmp_path / 'data' / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (32, 32), (shade, ) * 3).save(path)
    shutil.make_archive(str(tmp_path / 'data'), 'zip', tmp_path / 'data')
    train, test = (f'{tmp_path}/data.zip/{part}' for part in ('train', 'test'))
    check_class_folders(train, test)
    dataset = DATASETS.build(class_folder(test, 32))
    assert dataset.metainfo['classes'] == ('cat', 'dog')
    assert read_labels(dataset).tolist() == [0, 1]
    assert dataset[1]['inputs'][0].unique().tolist() == [4]
    folder = DATASETS.build(class_folder(f'{tmp_path}/data/test', 32))
    assert describe_dataset(dataset) == describe_dataset(folder)
    shutil.rmtree(tmp_path / 'data/test/dog')
    with pytest.raises(ValueError, match='these differ: dog'):
        check_class_folders(train, f'{tmp_path}/data/test')
    with pytest.raises(FileNotFoundError, match='no.zip is not a folder'):
        class_folder(f'{tmp_path}/no.zip', 32)
    with pytest.raises(ValueError, match='x cannot be listed, as on a web'):
        class_folder('http://localhost/x', 32)


def test_folders_that_would_count_as_classes_are_refused(
        image_folder, tmp_path):
    shutil.copytree(image_folder, tmp_path / 'images')
    for name in ('.ipynb_checkpoints', 'empty/deep'):
        (tmp_path / 'images' / name).mkdir(parents=True)
    with pytest.raises(ValueError, match='remove .ipynb_checkpoints, empty$'):
        class_folder(f'{tmp_path}/images', 32)


def test_other_images_of_the_same_names_are_told_apart(tmp_path):
    """In files of one size, too."""
    (tmp_path / 'images' / 'cat').mkdir(parents=True)
    path = tmp_path / 'images' / 'cat' / '1.bmp'
    found = set()
    for size, shade in ((32, 1), (32, 2), (64, 2)):
        Image.new('RGB', (size, size), (shade, ) * 3).save(path)
        dataset = DATASETS.build(class_folder(f'{tmp_path}/images', 32))
        found.add(describe_dataset(dataset)['digest'])
    assert len(found) == 3


def test_view_size_is_that_of_the_first_crop():
    view = dict(type='mmregioncl.RandomResizedCrop', size=32)
    multi = dict(type='MultiView', num_views=2, transforms=[[view]])
    dataset = dict(
        type='mmregioncl.ImageFolder',
        pipeline=[dict(type='mmregioncl.LoadImage'), multi])
    cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    assert view_size(cfg) == 32
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', dataset=dataset)
    assert view_size(cfg) == 32
    cfg.train_dataloader.dataset = dict(pipeline=[dict(type='Pack')])
    with pytest.raises(ValueError, match='nor data_preprocessor.views has a'):
        view_size(cfg)


def test_view_size_is_that_of_views_made_on_the_device(runner_cfg,
                                                       views_on_device):
    size = view_size(runner_cfg)
    views_on_device(runner_cfg)
    assert view_size(runner_cfg) == size


BANDS = dict(type='mmregioncl.LoadImage', channels=4, value_range=(0, 4095))


def test_evaluation_loads_as_training_does(image_folder):
    """At full size, and a file that cannot be read is an error."""
    view = dict(type='mmregioncl.RandomResizedCrop', size=32)
    pipeline = [dict(BANDS, on_corrupt='skip', backend_args=None), view]
    cfg = Config(dict(train_dataloader=dict(dataset=dict(pipeline=pipeline))))
    folder = eval_dataset(cfg, 'test', str(image_folder))
    assert folder['pipeline'][0] == dict(
        BANDS, on_corrupt='raise', backend_args=None)
    pipeline[0] = dict(type='mmregioncl.LoadImage', min_side=64)
    cfg.train_dataloader.dataset.pipeline = pipeline
    assert eval_dataset(cfg, 'test', str(image_folder))['pipeline'][0] == dict(
        type='mmregioncl.LoadImage', on_corrupt='raise')
    pipeline[0] = dict(type='LoadImageFromFile', color_type='grayscale')
    cfg.train_dataloader.dataset.pipeline = pipeline
    assert eval_dataset(cfg, 'test',
                        str(image_folder))['pipeline'][0] == pipeline[0]


def test_a_class_of_a_pure_python_config_is_known():
    assert eval_pipeline(32, dict(type=LoadImage))[0]['on_corrupt'] == 'raise'


def test_lists_are_ranges_too():
    """As on a command line."""
    cfg = Config(dict(train_dataloader=dict(dataset=dict(pipeline=[BANDS]))))
    given = dict(type='X', pipeline=[dict(BANDS, value_range=[0, 4095])])
    assert eval_dataset(cfg, 'test', given) == given


@pytest.mark.parametrize('key', ['channels', 'value_range'])
def test_other_loading_than_in_training_is_refused(key):
    cfg = Config(dict(train_dataloader=dict(dataset=dict(pipeline=[BANDS]))))
    other = {name: value for name, value in BANDS.items() if name != key}
    with pytest.raises(
            ValueError,
            match=f'eval_datasets.test loads images with {key}=.*, but '
            f'training with {key}={re.escape(str(BANDS[key]))}: set '):
        eval_dataset(cfg, 'test', dict(type='X', pipeline=[other]))
    given = dict(type='X', pipeline=[BANDS])
    assert eval_dataset(cfg, 'test', given) == given


class Samples(BaseDataset):
    """Two files with labels."""

    def __init__(self, *labels):
        self.labels = labels
        super().__init__()

    def load_data_list(self):
        return [
            dict(img_path=f'{row}.png', gt_label=label)
            for row, label in enumerate(self.labels)
        ]


def test_descriptions_know_labels_and_parts():
    first, second = (describe_dataset(Samples(*x)) for x in ((0, 1), (1, 1)))
    assert first['images'] == 2
    assert first['digest'] != second['digest']
    both = describe_dataset(ConcatDataset([Samples(0, 1), Samples(1, 1)]))
    assert both == dict(
        images=4, digest=f'{first["digest"]}+{second["digest"]}')


@pytest.mark.parametrize('labels, sentence', [
    ([None, 1], 'images without a label: use a data set with gt_label'),
    ([], 'images without a label'),
    ([-1, -1], 'images without a label'),
    (['cat', 'dog'], "has the label 'cat': number the classes from 0 on"),
    ([0, -1], 'has the label -1'),
    ([0, 0.5], 'has the label 0.5'),
    ([[0, 2], [1]], 'images with several labels, but k-NN'),
])
def test_bad_labels(labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_labels(Labelled(labels), single=True)


class Labelled:
    """Data infos without images."""
    metainfo = dict(classes=('a', 'b', 'c', 'd'))

    def __init__(self, labels, difficult=None):
        self.labels, self.difficult = labels, difficult

    def __len__(self):
        return len(self.labels)

    def get_data_info(self, row):
        info = dict(gt_label=self.labels[row])
        if self.difficult:
            info['gt_label_difficult'] = self.difficult[row]
        return info


def test_labels_of_several_classes():
    table = read_labels(Labelled([[0, 2], [], [1]], [[], [3], [1]]))
    assert table.tolist() == [[1, 0, 1, 0], [0, 0, 0, -1], [0, 1, 0, 0]]
    assert read_labels(Labelled([np.int64(2), 0])).tolist() == [2, 0]
    assert read_labels(Labelled([-1, 1]), partial=True).tolist() == [-1, 1]


def test_preprocessor_beside_the_model_is_that_of_the_model():
    """Configs of MMPretrain have it there; MMEngine's Runner merges it."""
    beside = dict(mean=(1, 2, 3))
    cfg = Config(dict(model=dict(type='MoCo'), data_preprocessor=beside))
    assert model_config(cfg)['data_preprocessor'] == beside
    cfg.model.data_preprocessor = dict(mean=(4, 5, 6))
    assert model_config(cfg)['data_preprocessor'] == dict(mean=(4, 5, 6))
