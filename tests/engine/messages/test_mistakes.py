import ipaddress
from unittest.mock import Mock

import pytest
from mmengine import fileio
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, MODELS, PARAM_SCHEDULERS, TRANSFORMS
from torch import nn, optim
from torch._utils import ExceptionWrapper

from mmregioncl import host
from mmregioncl.engine.messages import mistakes
from toy import method_cfgs

NORMALIZE = dict(type='Normalize', mean=[0], std=[1])
LOAD = dict(type='LoadImageFromFile')
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
    build_optim_wrapper(nn.Linear(2, 2), part)


def schedule_of(part: dict) -> None:
    PARAM_SCHEDULERS.build(
        part, default_args=dict(optimizer=SGD, epoch_length=3))


def transformed(part: dict) -> None:
    TRANSFORMS.build(part)(dict(img_path='/no/a.jpg'))


def averaged(part: dict) -> None:
    model = nn.Linear(2, 2)
    HOOKS.build(part).before_run(Mock(model=model))


def parted(loader: int) -> None:
    """A registered function."""
    raise ValueError('is not parted')


REGION_METHOD, REGION_HEAD = (method_cfgs('RegionCLMoCo')[0] for _ in 'ab')
REGION_HEAD['head'] = dict(
    type=f'{host.NAME}.ContrastiveHead', temperatures=0.2)


@pytest.mark.parametrize('build, part, start, end', [
    (HOOKS.build, dict(type='mmregioncl.OnlineKNHook'),
     'OnlineKNHook in part: mmregioncl.OnlineKNHook is not in the ',
     'type, or import its module by custom_imports (mmregioncl.OnlineKNNHook?'
     ')'),
    (HOOKS.build, dict(type='MyHook'), 'MyHook in part: MyHook is not in the ',
     'correct its type, or import its module by custom_imports'),
    (HOOKS.build, dict(type='mmregioncl.GuardHook', intervl=5),
     'GuardHook in part: GuardHook.__init__() got an unexpected keyword argum',
     "'intervl': correct its settings (interval?)"),
    (HOOKS.build, dict(type='CheckpointHook', save_best=3),
     'CheckpointHook in part: "save_best" should be a str or list of str or ',
     "None, but got <class 'int'>: correct its settings"),
    (TRANSFORMS.build, dict(type='mmregioncl.LoadImage', most_corupt=0.1),
     'LoadImage in part: LoadImageFromFile.__init__() got an unexpected ',
     "'most_corupt': correct its settings (most_corrupt?)"),
    (TRANSFORMS.build, dict(type='RandomResize'),
     'RandomResize in part: RandomResize.__init__() missing 1 required ',
     "argument: 'scale': correct its settings"),
    (HOOKS.build, dict(type='EarlyStoppingHook', monitor='a', patience='3'),
     'EarlyStoppingHook in part: ', ': correct its settings'),
    (HOOKS.build, dict(type='CheckpointHook', save_begin='2'),
     'CheckpointHook in part: TypeError: ', ': correct its settings'),
    (HOOKS.build, dict(type=5),
     '5 in part: type must be a str or valid type, but ',
     ': correct its settings'),
    (averaged, dict(type='EMAHook', momentun=0.1), 'EMAHook in part: ',
     "'momentun': correct its settings (momentum?)"),
    (MODELS.build, dict(type='mmregioncl.ResNet', depth=51),
     'ResNet in part: invalid depth 51 for resnet', ': correct its settings'),
    (TRANSFORMS.build, dict(type='PackInput'), 'PackInput in part: ',
     '.PackInputs?)' if host.NAME == 'mmpretrain' else '.PackSelfSupInputs?)'),
    (MODELS.build, dict(REGION_METHOD, region_swap=dict(sizes=3)),
     'part.region_swap: RegionSwap.__init__() got an unexpected keyword argu',
     "'sizes': correct its settings (size?)"),
    (MODELS.build, REGION_HEAD, 'ContrastiveHead in part.head: ',
     "'temperatures': correct its settings (temperature?)"),
    (optimizer_of, dict(type='OptimWrapper', optimizer=dict(type='SGDD')),
     'SGDD in part.optimizer: SGDD is not in the ',
     'optimizer registry: correct its type, or import its module by '
     'custom_imports (SGD?)'),
    (optimizer_of, dict(type='OptimWrapper', optimizer=dict(
        type='SGD', lr=-1.)), 'SGD in part.optimizer: Invalid learning rate: ',
     '-1.0: correct its settings'),
    (optimizer_of,
     dict(type='OptimWrapper', optimizer=dict(type='AdamW', dampening=0.)),
     'AdamW in part.optimizer: AdamW.__init__() got an unexpected keyword arg',
     'remove it, or drop the settings of a base by _delete_=True'),
    (optimizer_of,
     dict(type='OptimWrapper', optimizer=dict(type='SGD', learning_rate=1.)),
     'SGD in part.optimizer: SGD.__init__() got an unexpected keyword argumen',
     "'learning_rate': correct its settings (lr?)"),
    (optimizer_of,
     dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.), lr=1.),
     'OptimWrapper in part: OptimWrapper.__init__() got an unexpected keyword',
     "argument 'lr': correct its settings (part.optimizer.lr?)"),
    (optimizer_of,
     dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.),
          constructor='DefaultOptimWraperConstructor'),
     'DefaultOptimWraperConstructor is not in the mm',
     'by custom_imports (DefaultOptimWrapperConstructor?)'),
    (schedule_of, dict(type='LinearLR', begin=3, end=2),
     'LinearLR in part: end should be larger than begin, but got begin=3, end',
     '=2: correct its settings'),
    (transformed, NORMALIZE,
     "Normalize in part: needs 'img', which no earlier transform provides",
     ': correct its settings'),
    (transformed, LOAD,
     'cannot read /no/a.jpg (No such file or directory): correct it, or the ',
     'setting or list that names it'),
    (MODELS.build, dict(type='parted', loadr=1), 'parted in part: parted() ',
     "'loadr': correct its settings (loader?)"),
])  # yapf: disable
def test_the_part_of_the_config_is_named(build, part, start, end):
    MODELS.register_module(module=parted, force=True)
    cfg = Config(dict(other=dict(type='Other'), part=part))
    said = told(build, cfg.part, cfg=cfg)
    assert said.startswith(start) and said.endswith(end), said


def raised_in_worker(call) -> Exception:
    """The error that the process of a data loader raises."""
    try:
        call()
    except Exception:
        wrapper = ExceptionWrapper(where='in DataLoader worker process 0')
    with pytest.raises(Exception) as info:
        wrapper.reraise()
    return info.value


def test_refusals_of_data_workers_lose_their_traceback(tmp_path):
    """Other errors keep it, so that a bug can be found."""
    path = tmp_path / 'a.jpg'
    path.write_text('no image')
    load = TRANSFORMS.build(
        dict(type='mmregioncl.LoadImage', on_corrupt='raise'))
    error = raised_in_worker(lambda: load(dict(img_path=str(path))))
    assert mistakes.explain_mistake(error).startswith(
        f'cannot read {path} as an image: repair or remove it (')
    error = raised_in_worker(lambda: ipaddress.ip_address('x'))
    assert mistakes.explain_mistake(error) is None


@pytest.mark.parametrize(
    'first, second, keys',
    [
        (dict(scale=2), dict(scale=3), 'second'),
        (dict(scale=2), dict(scale=2, note='3'), 'first or second'),
        (dict(scale=2), dict(scale=2), 'first'),  # a variable, in use twice
        (dict(scale=2), dict(scale=2, kep_ratio=True), 'second'),
    ])
def test_parts_of_one_type_are_told_apart(first, second, keys):
    cfg = Config(
        dict(
            first=dict(type='Resize', **first),
            second=dict(type='Resize', **second)))
    given = dict(cfg.second, scale_factor='2')
    given.pop('note', None)
    said = told(TRANSFORMS.build, given, cfg=cfg)
    assert said.startswith(f'Resize in {keys}: ')


def test_a_part_with_the_missing_argument_is_not_blamed():
    cfg = Config(
        dict(
            first=dict(type='CenterCrop', crop_size=2),
            second=dict(type='CenterCrop')))
    said = told(TRANSFORMS.build, dict(cfg.second), cfg=cfg)
    assert said.startswith('CenterCrop in second: ')


class Careless:
    """A part of a config with a bug."""

    def train(self) -> None:
        parted()


def pop_image(results: dict) -> dict:
    """A user's own step."""
    return {}


class OwnData(BaseDataset):
    """A user's own data set, whose images have no path."""

    def load_data_list(self) -> list:
        return [{}]


@pytest.mark.parametrize('call', [
    Careless().train,
    lambda: nn.Identity()(1, mode='loss'),
    lambda: nn.Module()(1),
    lambda: Compose([pop_image, NORMALIZE])({}),
    lambda: OwnData(pipeline=[LOAD])[0],
    lambda: ipaddress.ip_address('x'),
    lambda: HOOKS.build(dict(type='mmregioncl.GuardHook', intervl=5)),
    lambda: parted(1),
])
def test_errors_outside_of_a_build_keep_their_traceback(call):
    """They may come from a bug."""
    cfg = Config(
        dict(
            intervl=5,
            own=dict(mode='offline'),
            parts=[
                dict(type='Careless'),
                dict(type='Module'), NORMALIZE, LOAD
            ]))
    assert told(call, cfg=cfg) is None


def test_servers_that_do_not_answer():
    said = told(fileio.get_text, 'http://127.0.0.1:9/list.txt')
    assert said.startswith('cannot read http://127.0.0.1:9/list.txt (')
    assert said.endswith('or list that names it, or look at the server')


def test_users_code_keeps_its_traceback(monkeypatch):
    monkeypatch.undo()  # this module is a user's now
    cfg = Config(dict(part=dict(type='Resize')))
    assert told(TRANSFORMS.build, cfg.part, cfg=cfg) is None


def test_an_error_in_the_explanation_does_not_hide_the_first(monkeypatch):
    monkeypatch.setattr(mistakes, 'explain', Mock(side_effect=KeyError))
    assert told(HOOKS.build, dict(type='mmregioncl.OnlineKNHook')) is None
