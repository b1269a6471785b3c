import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from mmregioncl.engine.classifier import (adopt_backbone, config_digest,
                                          train_classifier)
from mmregioncl.evaluation import class_folder
from mmregioncl.evaluation.protocols import FEATURE_PROTOCOLS
from mmregioncl.evaluation.run import EvaluationRun
from mmregioncl.visualization import draw_neighbours, read_scalars

ROOT = Path(__file__).parents[2]
LINEAR = (
    ROOT / 'configs/benchmarks/classification/cifar10' /
    'resnet18_linear-1xb512-steplr-100e_cifar10.py')
KNN = dict(k=[1, 5], temperature=[0.1])


@pytest.fixture
def run(model_cfg, image_folder, tmp_path):
    folder = class_folder(str(image_folder), 32)
    model_cfg['backbone']['type'] = 'ResNet_CIFAR'  # as configs name it
    cfg = Config(
        dict(
            model=model_cfg,
            default_scope='mmregioncl',
            eval_datasets=dict(train=folder, test=folder)))
    model = MODELS.build(copy.deepcopy(model_cfg))
    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return EvaluationRun(
        cfg, str(checkpoint), tmp_path / 'out', batch_size=5, workers=0)


def test_a_classifier_of_a_config(run, cifar_folder, tmp_path):
    recipe_cfg = Config.fromfile(LINEAR)
    for loader in (recipe_cfg.train_dataloader, recipe_cfg.val_dataloader):
        loader.dataset.data_prefix = str(cifar_folder)
        loader.update(num_workers=0, persistent_workers=False)
    recipe_cfg.train_cfg.max_epochs = 2
    recipe_cfg.dump(path := tmp_path / 'linear_toy.py')
    digest = config_digest(str(path))
    settings = dict(config=str(path), digest=digest)
    assert run.add('linear_toy', train_classifier, **settings)
    result = run.results['protocols']['linear_toy']
    work_dir = tmp_path / f'out/linear_toy-{digest}'
    shown = [
        row['accuracy/top1'] / 100 for row in read_scalars(work_dir)
        if 'accuracy/top1' in row
    ]
    assert result['numbers'] == {
        'top-1, last epoch': shown[-1],
        'top-1, best epoch': max(shown)
    }
    assert len(shown) == 2
    trained = torch.load(work_dir / 'epoch_2.pth')['state_dict']
    given = torch.load(run.checkpoint)['state_dict']
    for name, value in given.items():
        if name.startswith('backbone.'):
            assert torch.equal(trained[name], value), name

    # What comes after is of this package's scope again.
    assert run.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
    draw_neighbours(run, tmp_path / 'neighbours.png')
    assert (tmp_path / 'neighbours.png').exists()


def test_recipes_keep_their_batch(run):
    """One process accumulates gradients up to the batch of the recipe."""
    path = LINEAR.parents[1] / 'imagenet' / \
        'resnet50_linear-8xb512-coslr-90e_in1k.py'
    recipe_cfg = Config.fromfile(path)
    adopt_backbone(recipe_cfg, run)
    assert recipe_cfg.model.head.in_channels == 64
    assert recipe_cfg.model.backbone.frozen_stages == 4
    assert recipe_cfg.data_preprocessor.mean == \
        run.cfg.model.data_preprocessor.mean
    assert 'data_preprocessor' not in recipe_cfg.model


def test_a_classifier_loads_as_the_run_does(run):
    """Bands are neither swapped nor taken for colours."""
    load = dict(type='mmregioncl.LoadImage', channels=4, value_range=(0, 4095))
    preprocessor = dict(mean=[1, 2, 3, 4], std=[1, 2, 3, 4])
    run.cfg.train_dataloader = dict(dataset=dict(pipeline=[load]))
    run.cfg.model.update(data_preprocessor=preprocessor)
    run.cfg.model.backbone.in_channels = 4
    run.model = SimpleNamespace(backbone=MODELS.build(run.cfg.model.backbone))
    cfg = Config.fromfile(LINEAR.parents[1] / 'folder' /
                          'resnet50_linear-1xb256-steplr-100e_folder.py')
    adopt_backbone(cfg, run)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        step = loader.dataset.pipeline[0]
        assert {key: step[key] for key in load} == load
    assert cfg.data_preprocessor.mean == [1, 2, 3, 4]
    assert not cfg.data_preprocessor.to_rgb
