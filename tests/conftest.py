import functools
import gc
import os
import runpy
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config, config
from mmengine.config import utils as config_utils
from mmengine.dataset import base_dataset
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from mmengine.utils import ManagerMixin
from mmengine.utils.dl_utils import collect_env
from mmengine.visualization import Visualizer
from PIL import Image

from mmregioncl import host
from mmregioncl.engine.checks import views
from ranks import Ranks
from toy import MODEL, PARENTS, method_cfgs

ROOT = Path(__file__).parents[1]
DEVICE = os.environ.get('DEVICE', 'cpu')

# Fixtures that are expensive to make, by the group of tests that share them
SHARED = dict(
    two_ranks='ranks',
    ranks='ranks',
    errors='errors',
    checkpoints='checkpoints',
    wheel='wheel',
    hosts='hosts')
# Fixtures of tests that `make test-fast` leaves out: whole training runs,
# tools, and further processes
SLOW = (*SHARED, 'run_python', 'run_tool', 'runner_cfg', 'folders')


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks
def pytest_collection_modifyitems(items):
    """Mark slow tests, which start first, and those that share a fixture.

    Those that take a device are marked, too. Tests that need MMSelfSup are
    skipped under MMPretrain.
    """
    for item in items:
        if host.NAME != 'mmselfsup' and item.get_closest_marker('mmselfsup'):
            item.add_marker(pytest.mark.skip(reason='needs MMSelfSup'))
        shared = [SHARED[name] for name in SHARED if name in item.fixturenames]
        if shared:
            item.add_marker(pytest.mark.xdist_group(shared[0]))
        if {'cuda', 'device'} & set(item.fixturenames):
            item.add_marker(pytest.mark.device)
        if set(SLOW) & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)
    # A long test at the end would leave the other processes idle.
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)


def pytest_collection_finish(session):
    """Exclude imported objects from garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def no_garbage_collection():
    """Skip the collection that MMEngine runs for each data set."""
    base_dataset.gc = SimpleNamespace(collect=lambda: 0)


@pytest.fixture(scope='session')
def two_ranks():
    """Run a function on two gloo processes."""
    pool = Ranks(2)
    yield pool
    pool.stop()


@pytest.fixture(scope='session')
def three_ranks():
    """Run a function on three gloo processes."""
    pool = Ranks(3)
    yield pool
    pool.stop()


@pytest.fixture(params=['two_ranks', 'three_ranks'])
def ranks(request):
    """Run a function on two, and on three."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def device(monkeypatch) -> str:
    """That of the environment variable DEVICE, the CPU by default.

    Products have all bits of float32 there.
    """
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
    return DEVICE


@pytest.fixture
def cuda() -> str:
    """A GPU, for what a CPU cannot show."""
    if DEVICE != 'cuda' and not torch.cuda.is_available():
        pytest.skip('needs a GPU')
    return 'cuda'


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
    init_default_scope('mmregioncl')
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(scope='session', autouse=True)
def unformatted_configs():
    """A run writes its config five times; yapf takes a second each time."""
    config.FormatCode = lambda text, **kwargs: (text, True)


@pytest.fixture(scope='session', autouse=True)
def read_indices_once():
    """MMEngine reads all metafiles of a package for each base from it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config_utils, 'load', functools.cache(config_utils.load))
        yield


@pytest.fixture(scope='session', autouse=True)
def environment_and_figure_once():
    """Each run would ask compilers who they are, and make an empty figure."""
    initialize = Visualizer._initialize_fig
    figure = functools.cache(lambda **cfg: initialize(None, cfg))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.runner.runner.collect_env',
                      functools.cache(collect_env))
        patch.setattr(Visualizer, '_initialize_fig',
                      lambda _, cfg: figure(**cfg))
        yield


@pytest.fixture(scope='session', autouse=True)
def unrehearsed_steps():
    """Each run would rehearse its first step, for a quarter of a second."""
    views.rehearse = Mock(side_effect=NotImplementedError)


@pytest.fixture(autouse=True)
def end_workers(monkeypatch):
    """Stop workers when a run ends; otherwise each takes 5 s to exit."""
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


def forget_instances(kind: type = ManagerMixin) -> None:
    """Forget MMEngine's loggers, message hubs and visualizers."""
    kind._instance_dict.clear()
    for subclass in kind.__subclasses__():
        forget_instances(subclass)


@pytest.fixture
def run_tool(tmp_path, monkeypatch, capsys):
    """Call ``main`` of a tool in an empty folder, in this process.

    Returns what it printed and logged, and the sentence that it ended with.
    Errors are raised, or with ``check=False`` shown as a user sees them.
    """

    def run(tool, *args, check: bool = True):
        path = ROOT / 'tools' / tool
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(path.parent)  # of its neighbors
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, args)])
        monkeypatch.setattr(sys, 'excepthook', sys.__excepthook__)
        forget_instances()  # as in a new process
        capsys.readouterr()
        ended = None
        try:
            runpy.run_path(str(path), run_name='__main__')
        except SystemExit as end:
            ended = end.code
        except Exception as error:
            if check:
                raise
            sys.excepthook(type(error), error, error.__traceback__)
            ended = 1
        finally:
            init_default_scope('mmregioncl')
        done = capsys.readouterr()
        if check and ended:
            raise AssertionError(f'{ended} {done.err[-6000:]}')
        return SimpleNamespace(
            stdout=done.out,
            stderr=f'{done.err}{ended if isinstance(ended, str) else ""}',
            returncode=1 if isinstance(ended, str) else int(ended or 0))

    return run


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


class Record(Hook):
    """Note the losses and the feature maps."""

    def before_train(self, runner) -> None:
        self.losses, self.maps = [], []
        runner.model.backbone.register_forward_hook(
            lambda module, images, maps: self.maps.append(maps[-1]))

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None) -> None:
        self.losses.append(outputs['loss'].item())


@pytest.fixture
def train():
    """A real run in a folder, with more hooks, and what it recorded."""

    def run(cfg, work_dir, **hooks) -> Record:
        cfg = deepcopy(cfg)
        cfg.update(
            work_dir=str(work_dir),
            experiment_name=str(work_dir),
            randomness=dict(seed=0))
        cfg.default_hooks.update(hooks)
        runner = Runner.from_cfg(cfg)
        runner.register_hook(record := Record())
        runner.train()
        return record

    return run


@pytest.fixture
def runner_cfg(model_cfg, image_folder, tmp_path):
    """A real run at toy size: 12 images, 3 steps of 4, 2 epochs."""
    view = [
        dict(type='mmregioncl.RandomResizedCrop', size=32, backend='pillow')
    ]
    return Config(
        dict(
            model=model_cfg,
            work_dir=str(tmp_path / 'run'),
            default_scope=host.NAME,
            experiment_name=tmp_path.name,
            log_level='ERROR',
            default_hooks=dict(
                checkpoint=dict(
                    type='CheckpointHook',
                    interval=1,
                    backend_args=dict(backend='mmregioncl.atomic'))),
            custom_hooks=[dict(type='mmregioncl.GuardHook', interval=50)],
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            train_dataloader=dict(
                batch_size=4,
                num_workers=1,
                drop_last=True,
                persistent_workers=True,
                sampler=dict(type='DefaultSampler', shuffle=True),
                collate_fn=dict(type='default_collate'),
                dataset=dict(
                    type='mmregioncl.ImageFolder',
                    data_root=str(image_folder),
                    pipeline=[
                        dict(type='mmregioncl.LoadImage'),
                        dict(
                            type='mmregioncl.MultiView',
                            num_views=2,
                            transforms=[view]),
                        dict(type='mmregioncl.PackSelfSupInputs'),
                    ]))))


@pytest.fixture
def views_on_device():
    """Move the transforms of views from the loader to the preprocessor."""
    return make_views_on_device


def make_views_on_device(cfg) -> None:
    *loading, views, _ = cfg.train_dataloader.dataset.pipeline
    cfg.model.data_preprocessor.update(
        type='mmregioncl.SelfSupDataPreprocessor',
        views=dict(views, type='mmregioncl.BatchViews'))
    cfg.train_dataloader.dataset.pipeline = [
        *loading, dict(type='mmregioncl.PackSeededInputs')
    ]


@pytest.fixture
def seeded_runner_cfg(runner_cfg):
    """The same, with draws that depend on seed, epoch and step alone."""
    runner_cfg.train_cfg.type = 'mmregioncl.SeededTrainLoop'
    runner_cfg.train_dataloader.update(
        num_workers=0,
        persistent_workers=False,
        sampler=dict(type='mmregioncl.SeededSampler'))
    return runner_cfg
