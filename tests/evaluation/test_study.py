import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from mmregioncl.evaluation import (FEATURE_PROTOCOLS, Study, class_folder,
                                   knn_accuracy, read_labels, recipe)
from mmregioncl.visualization import draw_run, write_report

ROOT = Path(__file__).parents[2]
LINEAR = (
    ROOT / 'configs/benchmarks/classification/cifar10' /
    'resnet18_linear-1xb512-steplr-100e_cifar10.py')
KNN = dict(k=[1, 5], temperature=[0.1])


@pytest.fixture
def cfg(model_cfg, image_folder):
    folder = class_folder(str(image_folder), 32)
    crop = dict(type='RandomResizedCrop', size=32, backend='pillow')
    loader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
        dataset=dict(
            type='mmregioncl.ImageFolder',
            data_root=str(image_folder),
            pipeline=[
                dict(type='mmregioncl.LoadImage'),
                dict(type='MultiView', num_views=2, transforms=[[crop]]),
                dict(type='PackSelfSupInputs')
            ]))
    return Config(
        dict(
            model=model_cfg,
            train_dataloader=loader,
            eval_datasets=dict(train=folder, test=folder)))


@pytest.fixture
def checkpoint(model_cfg, tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    model = MODELS.build(copy.deepcopy(model_cfg))
    torch.save(dict(state_dict=model.state_dict()), folder / 'epoch_1.pth')
    log = folder / '2026' / 'vis_data'
    log.mkdir(parents=True)
    (log / 'scalars.json').write_text('{"loss": 3.5, "step": 7}\n')
    return str(folder / 'epoch_1.pth')


def study(cfg, checkpoint, out):
    return Study(cfg, checkpoint, out, batch_size=5, workers=0)


def test_results_are_those_of_the_features(cfg, checkpoint, tmp_path):
    first = study(cfg, checkpoint, tmp_path / 'out')
    for name, settings in dict(
            knn=KNN, linear=dict(epochs=5, rates=[1.]),
            svm=dict(costs=[1.])).items():
        assert first.add(name, FEATURE_PROTOCOLS[name], **settings)
    features = first.features('test')
    results = json.loads((tmp_path / 'out/results.json').read_text())
    numbers = results['protocols']['knn']['numbers']
    assert numbers['top-1, k=5, T=0.1'] == knn_accuracy(
        *features, *features, k=5)
    assert numbers['top-1, k=1, T=0.1'] == 1
    assert results['run']['checkpoint'] == checkpoint
    assert torch.__version__.startswith(results['run']['versions']['torch'])

    again = study(cfg, checkpoint, tmp_path / 'again')
    assert again.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
    assert again.results['protocols']['knn']['numbers'] == numbers


def test_what_is_finished_is_not_repeated(cfg, checkpoint, tmp_path):
    calls = []

    def protocol(study, **settings):
        calls.append(settings)
        if settings.get('fails'):
            raise ValueError('too few images')
        return dict(numbers={'top-1': 0.5}, how='by chance')

    first = study(cfg, checkpoint, tmp_path)
    assert first.add('luck', protocol, tries=1)
    assert not first.add('bad', protocol, fails=1)
    second = study(cfg, checkpoint, tmp_path)
    assert second.add('luck', protocol, tries=1)  # kept
    assert second.add('luck', protocol, tries=2)  # other settings
    assert not second.add('bad', protocol, fails=1)  # tried again
    assert calls == [
        dict(tries=1),
        dict(fails=1),
        dict(tries=2),
        dict(fails=1)
    ]
    protocols = json.loads(
        (tmp_path / 'results.json').read_text())['protocols']
    assert protocols['luck']['numbers'] == {'top-1': 0.5}
    assert protocols['bad']['error'] == 'too few images'


def test_another_checkpoint_is_refused(cfg, checkpoint, tmp_path):
    study(cfg, checkpoint, tmp_path / 'out')
    study(cfg, checkpoint, tmp_path / 'out')
    with pytest.raises(ValueError, match='results of another sha256: give an'):
        study(cfg, None, tmp_path / 'out')
    cfg.model.queue_len = 64
    with pytest.raises(ValueError, match='results of another config: give an'):
        study(cfg, checkpoint, tmp_path / 'out')


def test_a_classifier_of_a_config(cfg, checkpoint, cifar_folder, tmp_path):
    recipe_cfg = Config.fromfile(LINEAR)
    for loader in (recipe_cfg.train_dataloader, recipe_cfg.val_dataloader):
        loader.dataset.data_prefix = str(cifar_folder)
        loader.update(num_workers=0, persistent_workers=False)
    recipe_cfg.train_cfg.max_epochs = 2
    recipe_cfg.dump(path := tmp_path / 'linear_toy.py')
    made = study(cfg, checkpoint, tmp_path / 'out')
    assert made.add('linear_toy', recipe, config=str(path))
    result = made.results['protocols']['linear_toy']
    assert 0 <= result['numbers']['top-1, last epoch'] <= \
        result['numbers']['top-1, best epoch'] <= 1
    model = torch.load(tmp_path / 'out/linear_toy/epoch_2.pth')['state_dict']
    given = torch.load(checkpoint)['state_dict']
    for name, value in given.items():
        if name.startswith('backbone.'):
            assert torch.equal(model[name], value), name


def test_report_of_two_runs(cfg, checkpoint, tmp_path):
    cfg.filename = None
    outs = [tmp_path / 'ours', tmp_path / 'random <b>']
    for out, weights in zip(outs, (checkpoint, None)):
        made = study(cfg, weights, out)
        made.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
        draw_run(made)
    made.add('linear', FEATURE_PROTOCOLS['linear'], rates=[1.], epochs=1)
    write_report(tmp_path / 'report.html', outs)
    page = (tmp_path / 'report.html').read_text()
    assert page.count('100.00 %') >= 2  # k=1
    assert 'not done' in page  # linear of the first
    assert 'random &lt;b&gt;' in page and '<b>random' not in page
    assert page.count('data:image/png') == 6
    assert page.count('data:image/svg') == 1  # the loss
    assert 'http' not in page.replace('http://www.w3.org', '')
    assert 'RegionCLMoCo' in page and np.__version__ in page
    with pytest.raises(FileNotFoundError, match='holds no results.json'):
        write_report(tmp_path / 'report.html', [tmp_path])


def test_features_that_are_not_finite(cfg, checkpoint, tmp_path):
    weights = torch.load(checkpoint)
    weights['state_dict']['backbone.layer4.1.bn2.weight'][3] = torch.nan
    torch.save(weights, checkpoint)
    made = study(cfg, checkpoint, tmp_path / 'out')
    assert not made.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
    assert 'features of 12 of 12 images are NaN or inf: the run diverged' in \
        made.results['protocols']['knn']['error']


def test_k_beyond_the_data_set(cfg, checkpoint, tmp_path):
    made = study(cfg, checkpoint, tmp_path)
    assert not made.add(
        'knn', FEATURE_PROTOCOLS['knn'], k=[13], temperature=[0.1])
    assert 'k=13 neighbours of 12 train features: set k' in \
        made.results['protocols']['knn']['error']


def test_shots_that_a_class_has(cfg, checkpoint, tmp_path):
    made = study(cfg, checkpoint, tmp_path)
    assert made.add(
        'low-shot',
        FEATURE_PROTOCOLS['low-shot'],
        shots=(1, 4, 96),
        costs=(1., ))
    assert list(made.results['protocols']['low-shot']['numbers']) == [
        'mAP, 1 of a class', 'mAP, 4 of a class'
    ]


@pytest.mark.parametrize('labels, sentence', [
    ([None, 1], 'images without a label: give a data set with gt_label'),
    ([], 'images without a label'),
    ([-1, -1], 'images without a label'),
    (['cat', 'dog'], "has the label 'cat': number the classes from 0 on"),
    ([0, -1], 'has the label -1'),
    ([0, 0.5], 'has the label 0.5'),
    ([[0, 2], [1]], 'images with several labels, and k-NN'),
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
