from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.runner import Runner

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(
    path for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts)


@pytest.fixture(scope='module')
def cifar_folder(tmp_path_factory):
    """An archive of 4 images, as the CIFAR-10 configs read it."""
    root = tmp_path_factory.mktemp('cifar10')
    noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), 'uint8')
    codes = [cv2.imencode('.jpg', image)[1] for image in noise]
    for split in ('train', 'test'):
        np.savez(
            root / f'{split}.npz',
            jpeg=np.concatenate(codes),
            offset=np.cumsum([0] + [len(code) for code in codes]),
            labels=np.arange(4))
    return root


def shrink(cfg, image_folder, cifar_folder, work_dir):
    """Toy size: 4 images in one step of a thin network."""
    dataset = cfg.train_dataloader.dataset
    dataset.indices = 4
    if dataset.type == 'mmregioncl.CIFAR10':
        dataset.data_prefix = str(cifar_folder)
    else:
        cfg.train_dataloader.dataset = dict(
            type='mmregioncl.ImageFolder',
            data_root=str(image_folder),
            indices=4,
            pipeline=dataset.pipeline)
    cfg.train_dataloader.update(batch_size=4, num_workers=1)
    cfg.model.backbone.update(depth=18, stem_channels=8, base_channels=8)
    cfg.model.neck.update(in_channels=64, hid_channels=16)
    cfg.model.queue_len = 64
    cfg.train_cfg.max_epochs = 1
    cfg.update(
        work_dir=str(work_dir),
        experiment_name=str(work_dir),
        log_level='ERROR')
    return cfg


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_trains_a_step(path, image_folder, cifar_folder, tmp_path):
    cfg = shrink(
        Config.fromfile(path), image_folder, cifar_folder, tmp_path / 'run')
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    before = {n: w.clone() for n, w in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 1
    for name, weight in runner.model.named_parameters():
        assert weight.isfinite().all()
        if not name.startswith('encoder_k'):
            assert not torch.equal(weight, before[name]), name


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_keeps_the_rules(path):
    cfg = Config.fromfile(path)
    # Else every epoch repeats the random numbers of the first one.
    assert cfg.train_dataloader.persistent_workers
    assert cfg.train_dataloader.drop_last
    assert cfg.default_scope == 'mmselfsup'
    assert dict(type='mmregioncl.GuardHook') in cfg.custom_hooks
    # Files are read by the loader that a corrupt one cannot stop.
    steps = [step.type for step in cfg.train_dataloader.dataset.pipeline]
    assert 'LoadImageFromFile' not in steps
    epochs = cfg.train_cfg.max_epochs
    assert cfg.param_scheduler[-1].end == epochs
    batch = cfg.train_dataloader.batch_size
    assert f'xb{batch}-coslr-{epochs}e_' in path.name


def test_basenames_are_unique():
    """Tools find a packaged config by its name alone."""
    names = Counter(path.name for path in CONFIGS)
    assert max(names.values()) == 1


def test_official_recipe():
    cfg = Config.fromfile(
        ROOT /
        'configs/regioncl/regioncl-m_resnet50_8xb128-coslr-200e_in1k.py')
    model, optimizer = cfg.model, cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum,
            optimizer.weight_decay) == ('SGD', 0.15, 0.9, 1e-4)
    assert (model.queue_len, model.feat_dim, model.momentum,
            model.head.temperature) == (65536, 128, 0.999, 0.2)
    assert (model.region_swap['size'], model.region_swap.stride) == ((3, 5),
                                                                     32)
    assert model.backbone.depth == 50


@pytest.mark.parametrize('metafile', (ROOT / 'configs').rglob('metafile.yml'))
def test_metafile_names_every_config(metafile):
    models = yaml.safe_load(metafile.read_text())['Models']
    paths = {ROOT / model['Config'] for model in models}
    assert {path.stem for path in paths} == {m['Name'] for m in models}
    assert paths == set(metafile.parent.glob('*.py'))


def test_three_lines_turn_mocov2_into_regioncl(image_folder, cifar_folder,
                                               tmp_path):
    """The switch of the README, on mmselfsup's own packaged config."""
    readme = (ROOT / 'README.md').read_text()
    start = readme.index("_base_ = 'mmselfsup::")
    text = readme[start:readme.index('```', start)]
    assert text.count('mmregioncl.') == 3
    (tmp_path / 'switched.py').write_text(text)
    cfg = Config.fromfile(tmp_path / 'switched.py')
    cfg = shrink(cfg, image_folder, cifar_folder, tmp_path / 'run')
    runner = Runner.from_cfg(cfg)
    assert type(runner.model).__name__ == 'RegionCLMoCo'
    runner.train()
    assert 'train/loss_region' in runner.message_hub.log_scalars
