import ipaddress
import re
import sys
from unittest.mock import Mock

import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.dist import init_dist
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (HOOKS, MODELS, PARAM_SCHEDULERS, TRANSFORMS,
                               VISBACKENDS)
from mmengine.utils import import_modules_from_strings
from torch import nn, optim
from torch._utils import ExceptionWrapper
from torch.nn import functional

from mmregioncl import host
from mmregioncl.engine import mistakes
from toy import method_cfgs

SGD = optim.SGD([nn.Parameter()], 0.1)


@pytest.fixture(autouse=True)
def tests_are_a_tool(monkeypatch):
    """Not a user's code, which keeps its traceback."""
    known = {*mistakes.LIBRARIES, __name__.partition('.')[0]}
    monkeypatch.setattr(mistakes, 'LIBRARIES', known)


def told(call, *args, cfg=None) -> str:
    """What is said of the error of a call, in a run of a config."""
    with pytest.raises(Exception) as info:
        call(*args)
    return mistakes.explain_mistake(info.value)


def optimizer_of(part: dict) -> None:
    part.setdefault('type', 'OptimWrapper')
    build_optim_wrapper(nn.Linear(2, 2), part)


def schedule_of(part: dict) -> None:
    PARAM_SCHEDULERS.build(
        part, default_args=dict(optimizer=SGD, epoch_length=3))


@pytest.mark.parametrize('build, part, sentence', [
    (HOOKS.build, dict(type='mmregioncl.OnlineKNHook'),
     "part.type='mmregioncl.OnlineKNHook' is not known "
     '(mmregioncl.OnlineKNNHook?): correct it, or let custom_imports import '
     'the module that registers it'),
    (HOOKS.build, dict(type='GuardHook', _scope_='mmengine'),
     "part.type='GuardHook' is not known (mmregioncl.GuardHook?): correct it"),
    (HOOKS.build, dict(type='MyHook'),
     "part.type='MyHook' is not known: correct it"),
    (HOOKS.build, dict(type='mmregioncl.GuardHook', intervl=5),
     'part.intervl is no setting of GuardHook (interval?): correct its name'),
    (HOOKS.build, dict(type='CheckpointHook', save_best=3),
     'CheckpointHook refuses its settings in part, correct them: "save_best"'),
    (TRANSFORMS.build, dict(type='mmregioncl.LoadImage', most_corupt=0.1),
     'part.most_corupt is no setting of LoadImage (most_corrupt?): correct'),
    (TRANSFORMS.build, dict(type='RandomResize'),
     "RandomResize lacks 'scale': set it in part"),
    (TRANSFORMS.build, dict(type='Resize'),
     'Resize refuses its settings in part, correct them: `scale` and'),
    (MODELS.build, dict(type='mmregioncl.ResNet', depth=18, dept=50),
     'part.dept is no setting of ResNet (depth?): correct its name'),
    (MODELS.build, dict(type='mmregioncl.ResNet', depth=51),
     'ResNet refuses its settings in part, correct them: invalid depth 51'),
    (optimizer_of, dict(optimizer=dict(type='SGDD', lr=0.1)),
     "part.optimizer.type='SGDD' is not known (SGD?): correct it"),
    (optimizer_of, dict(optimizer=dict(type='SGD', lr=-1.)),
     'SGD refuses its settings in part.optimizer, correct them: Invalid lear'),
    (optimizer_of, dict(optimizer=dict(type='SGD', lr=1., nestrov=True)),
     'part.optimizer.nestrov is no setting of SGD (nesterov?): correct its'),
    (optimizer_of, dict(optimizer=dict(type='SGD', learning_rate=1.)),
     'part.optimizer.learning_rate is no setting of SGD (lr?): correct its'),
    (optimizer_of,
     dict(optimizer=dict(type='SGD', lr=1.), clip_grad=dict(type='nrm', a=1)),
     'OptimWrapper refuses its settings in part, correct them: type of clip_'),
    (schedule_of, dict(type='CosineAnnealingLR', Tmax=3),
     'part.Tmax is no setting of CosineAnnealingLR'),
    (schedule_of, dict(type='LinearLR', begin=3, end=2),
     'LinearLR refuses its settings in part, correct them: end should be'),
])
def test_settings_that_others_refuse_are_named(build, part, sentence):
    cfg = Config(dict(other=dict(type='Other'), part=part))
    assert told(build, cfg.part, cfg=cfg).startswith(sentence)


RESIZE = dict(type='Resize', scale_factor='2')  # refused
MISSPELT = dict(type='Resize', kep_ratio=True)


@pytest.mark.parametrize('first, second, sentence', [
    (RESIZE, dict(RESIZE, **MISSPELT), 'second.kep_ratio is no setting of'),
    (MISSPELT, MISSPELT, 'first.kep_ratio is no setting of Resize'),
    (RESIZE, dict(type='Resize', keep_ratio=True), None),
])
def test_one_of_several_parts_of_a_type_is_named(first, second, sentence):
    """The one that says most, if it is not another by chance."""
    cfg = Config(dict(first=first, second=second))
    defaults = dict(scale_factor='2')
    said = told(
        lambda: TRANSFORMS.build(cfg.second, default_args=defaults), cfg=cfg)
    assert said is None if sentence is None else said.startswith(sentence)


def test_images_that_a_backbone_refuses_are_named():
    backbone = dict(
        type='mmregioncl.SwinTransformer',
        arch=dict(embed_dims=4, depths=[1], num_heads=[1]),
        out_indices=(0, ))
    cfg = Config(dict(model=dict(backbone=backbone)))
    assert told(MODELS.build(backbone), torch.ones(1, 3, 16, 16), cfg=cfg) == (
        'SwinTransformer refuses its images, correct their size or the '
        'settings in model.backbone: The input shape (4, 4) is smaller than '
        'the window size (7). Please set `pad_small_map=True`, or decrease '
        'the `window_size`.')


def test_parts_that_an_algorithm_replaces_are_named():
    model = method_cfgs('RegionCLMoCo')[0]
    model['head'] = dict(type=f'{host.NAME}.ContrastiveHead', temperatures=0.2)
    cfg = Config(dict(model=model))
    assert told(
        MODELS.build, cfg.model, cfg=cfg) == (
            'model.head.temperatures is no setting of RegionContrastiveHead '
            '(temperature?): correct its name')


class Own(BaseTransform):
    """A user's own step."""

    def __init__(self, side: int = 1) -> None:
        if side < 1:
            raise ValueError('side has to be positive')

    def transform(self, results: dict) -> dict:
        return dict(img=results['nothing'])


class Images:
    """A data set of one image."""

    def __init__(self, path, *steps) -> None:
        self.path = str(path)
        self.pipeline = Compose(steps)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict:
        return self.pipeline(dict(img_path=self.path))


LOAD = dict(type='LoadImageFromFile')


def load(dataset: Images, in_worker: bool) -> None:
    """Load the image, or repeat the error as of a data worker."""
    try:
        dataset[0]
    except Exception:
        if not in_worker:
            raise
        ExceptionWrapper(where='in DataLoader worker process 0').reraise()


@pytest.mark.parametrize('worker', [False, True])
@pytest.mark.parametrize('steps, sentence', [
    ([dict(type='mmregioncl.LoadImage', on_corrupt='raise')
      ], 'cannot read {path} as an image: repair or remove it, or set'),
    ([dict(type='Normalize', mean=[0] * 3, std=[1] * 3), LOAD
      ], "(Normalize|mmcv.transforms.processing) needs 'img', which no step "
     'before it in the pipeline makes: add mmregioncl.LoadImage'),
])
def test_images_and_steps_that_are_missing_are_named(tmp_path, steps, sentence,
                                                     worker):
    path = tmp_path / 'a.jpg'
    path.write_text('no image')
    said = told(load, Images(path, *steps), worker)
    if worker or steps[0]['type'] != 'mmregioncl.LoadImage':
        assert re.match(sentence.format(path=path), said)
    else:  # a refusal, of which failures.py prints the sentence
        assert said is None


@pytest.mark.parametrize('worker', [False, True])
def test_files_that_are_gone_are_named(tmp_path, worker):
    assert told(load, Images(tmp_path / 'a.jpg', LOAD), worker) == (
        f'cannot read {tmp_path}/a.jpg (No such file or directory): correct '
        'it, or the setting or list that names it')


@pytest.mark.parametrize(
    'kind, function, known',
    [
        ('IsADirectoryError', 'get_text', True),
        ('IsADirectoryError', 'put_text', False),
        ('OSError', 'get_text', False),  # as of too many open files
    ])
def test_paths_are_to_blame_for_few_errors(kind, function, known):
    call = mistakes.Call('mmengine.fileio.backends', function, '', {})
    failure = mistakes.Failure(kind, "[Errno 0] Reason: 'a.jpg'", [call],
                               False)
    assert bool(mistakes.explain_step(failure)) == known


class Needy:
    """A part that needs something."""

    def __init__(self, error: type) -> None:
        raise error('something is missing')


@pytest.mark.parametrize('error, known', [(ValueError, True),
                                          (ImportError, False),
                                          (RuntimeError, False)])
def test_settings_are_to_blame_for_few_errors(error, known):
    MODELS.register_module(module=Needy, force=True)
    cfg = Config(dict(part=dict(type='Needy', error=error)))
    assert bool(told(MODELS.build, cfg.part, cfg=cfg)) == known


def test_parts_without_their_package_are_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'wandb', None)
    part = dict(type='mmengine.WandbVisBackend', save_dir=str(tmp_path))
    cfg = Config(dict(visualizer=dict(vis_backends=[part])))
    backend = VISBACKENDS.build(cfg.visualizer.vis_backends[0])
    assert told(
        lambda: backend.experiment, cfg=cfg) == (
            'WandbVisBackend needs a package that is not installed, install it'
            ' or remove visualizer.vis_backends.0: Please run "pip install '
            'wandb" to install wandb')


@pytest.mark.parametrize('worker', [False, True])
def test_errors_of_users_keep_their_traceback(monkeypatch, tmp_path, worker):
    monkeypatch.undo()  # this module is a user's now
    TRANSFORMS.register_module(module=Own, force=True)
    assert told(load, Images(tmp_path, dict(type='Own')), worker) is None
    assert told(TRANSFORMS.build, dict(type='Own', side=0)) is None


def parted(loader: int) -> None:
    """A registered function."""
    raise ValueError('is not parted')


def test_errors_that_may_be_ours_keep_their_traceback():
    """Nothing in a config has this name, or nothing is built."""
    cfg = Config(dict(intervl=5))
    hook = HOOKS.get('mmregioncl.GuardHook')
    assert told(lambda: hook(intervl=cfg.intervl), cfg=cfg) is None
    assert told(TRANSFORMS.build,
                dict(type='mmregioncl.LoadImage', most_corrupt='a')) is None


@pytest.mark.parametrize('given, said', [
    (dict(), "parted lacks 'loader': set it in part"),
    (dict(loadr=1), 'part.loadr is no setting of parted (loader?): correct '
     'its name'),
    (dict(loader=1), None),
])
def test_settings_of_functions_are_named(given, said):
    MODELS.register_module(module=parted, force=True)
    cfg = Config(dict(part=dict(type='parted', **given)))
    assert told(MODELS.build, cfg.part, cfg=cfg) == said


def import_own(folder) -> None:
    (folder / 'own_hooks.py').write_text('import missing_dependency')
    cfg = Config(dict(custom_imports=dict(imports=['own_hooks'])))
    import_modules_from_strings(**cfg.custom_imports)


def parse_in_worker(folder) -> None:
    try:
        ipaddress.ip_address('x')
    except ValueError:
        ExceptionWrapper(where='in DataLoader worker process 0').reraise()


@pytest.mark.parametrize('call', [
    import_own, parse_in_worker, lambda folder: init_dist('pytorch'),
    lambda folder: ipaddress.ip_address('x'),
    lambda folder: functional.interpolate(torch.ones(2, 2), 3)
])
def test_errors_outside_of_a_build_keep_their_traceback(
        call, tmp_path, monkeypatch):
    """They may be of this package, which need not be among the calls."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv('RANK', raising=False)
    cfg = Config(dict(part=1))
    assert told(call, tmp_path, cfg=cfg) is None


def test_an_error_of_the_explanation_takes_no_others_place(monkeypatch):
    monkeypatch.setattr(mistakes, 'failure_of', Mock(side_effect=KeyError))
    assert told(HOOKS.build, dict(type='mmregioncl.OnlineKNHook')) is None
