import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from PIL import Image

import mmregioncl  # noqa: F401

ROOT = Path(__file__).parents[1]

# RegionCL-M at toy size: ResNet-18 of an eighth of the width, 4x4 cells.
MODEL = dict(
    type='mmregioncl.RegionCLMoCo',
    queue_len=32,
    feat_dim=8,
    momentum=0.9,
    data_preprocessor=dict(
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        bgr_to_rgb=True),
    backbone=dict(
        type='mmcls.ResNet_CIFAR', depth=18, stem_channels=8, base_channels=8),
    neck=dict(
        type='mmregioncl.RegionMoCoV2Neck',
        in_channels=64,
        hid_channels=16,
        out_channels=8),
    head=dict(type='mmregioncl.RegionContrastiveHead', temperature=0.2),
    region_swap=dict(type='mmregioncl.RegionSwap', size=(2, 3), stride=8))

REGION_SWAP = MODEL['region_swap']
DENSE = dict(
    queue_len=32,
    feat_dim=8,
    momentum=0.9,
    neck=dict(in_channels=64, hid_channels=16, out_channels=8))
LATENT_HEAD = dict(
    loss=dict(type='CosineSimilarityLoss'),
    predictor=dict(
        type='NonLinearNeck',
        in_channels=16,
        hid_channels=8,
        out_channels=16,
        with_avg_pool=False,
        with_last_bn=False,
        with_last_bias=True,
        norm_cfg=dict(type='BN1d')))
NON_LINEAR = dict(
    in_channels=64,
    hid_channels=16,
    out_channels=16,
    norm_cfg=dict(type='BN1d'))

# The parents and what they share with our classes, by our names
PARENTS = dict(
    RegionCLMoCo=dict(
        type='MoCo',
        **DENSE,
        head=dict(
            type='ContrastiveHead',
            loss=dict(type='mmcls.CrossEntropyLoss'),
            temperature=0.2)),
    RegionCLDenseCL=dict(
        type='DenseCL',
        **DENSE,
        head=dict(
            type='ContrastiveHead',
            loss=dict(type='mmcls.CrossEntropyLoss'),
            temperature=0.2)),
    RegionCLSimSiam=dict(
        type='SimSiam',
        neck=dict(NON_LINEAR, num_layers=3, with_last_bn_affine=False),
        head=LATENT_HEAD),
    RegionCLBYOL=dict(
        type='BYOL',
        base_momentum=0.9,
        neck=dict(NON_LINEAR, with_bias=True, with_last_bn=False),
        head=LATENT_HEAD),
    RegionCLSimCLR=dict(
        type='SimCLR',
        neck=NON_LINEAR,
        head=dict(
            type='ContrastiveHead',
            loss=dict(type='mmcls.CrossEntropyLoss'),
            temperature=0.2)))
PARTS = dict(
    RegionCLMoCo=('MoCoV2Neck', 'RegionContrastiveHead'),
    RegionCLDenseCL=('DenseCLNeck', 'RegionContrastiveHead'),
    RegionCLSimSiam=('NonLinearNeck', 'RegionLatentPredictHead'),
    RegionCLBYOL=('NonLinearNeck', 'RegionLatentPredictHead'),
    RegionCLSimCLR=('NonLinearNeck', 'RegionNTXentHead'))


def method_cfgs(name: str) -> tuple:
    """Configs of one of our classes and of its parent, at toy size."""
    parent = deepcopy(PARENTS[name])
    neck, head = PARTS[name]
    parent['neck'] = dict(parent['neck'], type=neck)
    if 'Latent' in head:
        parent['head'] = dict(parent['head'], type='LatentPredictHead')
    parent['backbone'] = deepcopy(MODEL['backbone'])
    ours = deepcopy(parent)
    ours.update(type=f'mmregioncl.{name}', region_swap=REGION_SWAP)
    ours['neck'].update(type=f'mmregioncl.Region{neck}')
    ours['head'].update(type=f'mmregioncl.{head}')
    return ours, parent


@pytest.fixture(params=PARENTS)
def method(request) -> tuple:
    """Configs of one of our classes and of its parent, at toy size."""
    MessageHub.get_current_instance().update_info('max_iters', 100)
    return method_cfgs(request.param)


@pytest.fixture(scope='session', autouse=True)
def one_thread():
    """Toy sizes: more threads only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed_and_scope():
    init_default_scope('mmselfsup')
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def end_workers(monkeypatch):
    """Let workers go when a run ends.

    Those of a loader that is left to the garbage collector, as part of a
    Runner, take 5 seconds to find out.
    """
    train = Runner.train

    def train_and_end(runner):
        try:
            return train(runner)
        finally:
            loader = getattr(runner._train_loop, 'dataloader', None)
            if loader is not None:
                loader._iterator = None

    monkeypatch.setattr(Runner, 'train', train_and_end)


@pytest.fixture
def model_cfg() -> dict:
    """Config of RegionCL-M at toy size, free to be changed."""
    return deepcopy(MODEL)


@pytest.fixture
def build():
    """Build a model in train mode."""
    return lambda cfg: MODELS.build(deepcopy(cfg)).train()


@pytest.fixture(scope='session')
def image_folder(tmp_path_factory) -> Path:
    """12 noise images of 40 pixels in two folders, one nested."""
    root = tmp_path_factory.mktemp('images')
    noise = np.random.default_rng(0).integers(0, 256, (12, 40, 40, 3), 'uint8')
    for index, pixels in enumerate(noise):
        folder = root / ('a' if index % 2 else 'b/c')
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f'{index:02d}.png')
    return root


@pytest.fixture(scope='session')
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


@pytest.fixture(scope='session')
def stl10_folder(tmp_path_factory):
    """Binary files of 2 images each."""
    root = tmp_path_factory.mktemp('stl10')
    noise = np.random.default_rng(0).integers(0, 256, (2, 3, 96, 96), 'uint8')
    for split in ('train', 'unlabeled'):
        noise.tofile(root / f'{split}_X.bin')
    np.array([1, 2], np.uint8).tofile(root / 'train_y.bin')
    noise[:1].tofile(root / 'test_X.bin')
    np.array([1], np.uint8).tofile(root / 'test_y.bin')
    return root


@pytest.fixture
def run_python(tmp_path):
    """Run Python with arguments in an empty folder, as a user would."""

    def run(*args, check: bool = True, **kwargs):
        done = subprocess.run([sys.executable, *map(str, args)],
                              cwd=tmp_path,
                              capture_output=True,
                              text=True,
                              timeout=300,
                              **kwargs)
        if check and done.returncode:
            raise AssertionError(done.stderr[:6000])
        return done

    return run
