"""The hosts: MMSelfSup and MMPretrain, each in a process of its own."""
import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from mmengine.registry import DATASETS, MODELS, TRANSFORMS

from mmregioncl import host
from mmregioncl.datasets.transforms import crop_settings, is_crop
from mmregioncl.engine.config import load_config, read_file
from mmregioncl.evaluation import class_folder, results, view_size
from mmregioncl.hooks import OnlineLinearProbeHook
from mmregioncl.hooks.throughput_hook import draws_slowly
from mmregioncl.visualization.browse import crop_of

INSTALLED = [name for name in host.SCOPES if PathFinder.find_spec(name)]
OTHER, = host.SCOPES.keys() - {host.NAME}
TOOLS = Path(__file__).parents[1] / 'tools'
METHODS = ('RegionCLMoCo', 'RegionCLDenseCL', 'RegionCLSimSiam',
           'RegionCLBYOL', 'RegionCLMoCoV3', 'RegionCLSimCLR')


@pytest.fixture(scope='session')
def hosts():
    """What host_run.py prints under each installed host, side by side."""
    script = Path(__file__).parent / 'host_run.py'
    processes = {
        name:
        subprocess.Popen([sys.executable, str(script)],
                         env={
                             **os.environ, host.VARIABLE: name
                         },
                         stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE,
                         text=True)
        for name in INSTALLED
    }
    found = {}
    for name, process in processes.items():
        out, err = process.communicate()
        assert process.returncode == 0, err[-3000:]
        found[name] = json.loads(out.splitlines()[-1])
        assert found[name]['host'] == name
    return found


@pytest.mark.parametrize('method', METHODS)
def test_three_steps_are_the_same_to_the_bit(hosts, method):
    """Losses of SGD steps, and the names of the weights."""
    if len(hosts) == 1:
        pytest.skip(f'needs {OTHER} beside {host.NAME}')
    theirs, ours = (found['steps'][method] for found in hosts.values())
    assert len(ours['losses']) >= 6
    assert ours == theirs


# kept(0.) keeps nothing
@pytest.mark.parametrize('momentum', [-1., host.kept(0.), 2.])
def test_a_momentum_that_neither_host_has_gets_a_usual_one(momentum):
    right = 0.999 if host.NAME == 'mmselfsup' else 0.001
    with pytest.raises(ValueError, match=f'set momentum={right}$'):
        host.check_momentum('momentum', momentum, 'RegionCLMoCo')


@pytest.mark.parametrize('method',
                         ['RegionCLMoCo', 'RegionCLDenseCL', 'RegionCLBYOL'])
@pytest.mark.parametrize('name, share, value, right', [
    ('mmselfsup', 'kept', 0.001, 0.999),
    ('mmpretrain', 'replaced', 0.999, 0.001),
])
def test_momentum_of_the_other_host_is_refused(hosts, method, name, share,
                                               value, right):
    if name not in hosts:
        pytest.skip(f'needs {name}')
    line = hosts[name]['refused'][method]
    assert f'momentum={value} of {method}' in line
    assert f'share of the average that is {share} in each step' in line
    assert line.endswith(f'momentum={right}')


@pytest.mark.parametrize('method, name', [
    ('MoCo', 'momentum'),
    ('DenseCL', 'momentum'),
    ('BYOL', 'base_momentum'),
    ('MoCoV3', 'base_momentum'),
    ('mmregioncl.RegionCLMoCo', 'momentum'),
    (f'{host.NAME}.BYOL', 'base_momentum'),
])
def test_momentum_of_a_config_is_checked(method, name, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(f'model = dict(type={method!r})')
    right, wrong = host.kept(0.99), host.kept(0.01)
    load_config(path)
    load_config(path, {f'model.{name}': right})
    with pytest.raises(ValueError, match=f'^{name}={wrong} of .*={right}$'):
        load_config(path, {f'model.{name}': wrong})


def test_the_other_host_is_not_imported():
    with pytest.raises(ImportError, match=f'set {host.VARIABLE}={OTHER}'):
        import_module(f'{OTHER}.models')


@pytest.mark.parametrize('asked, installed, message', [
    (None, (), 'needs mmselfsup or mmpretrain: pip install'),
    ('mmcls', host.SCOPES, 'MMREGIONCL_HOST=mmcls is not a valid host'),
    (OTHER, (host.NAME, ), 'is not installed: pip install'),
    (OTHER, host.SCOPES, f'{host.NAME} cannot be imported together with '),
])
def test_no_host_is_chosen(asked, installed, message, monkeypatch):
    monkeypatch.setattr(host, 'INSTALLED', [*installed])
    monkeypatch.delenv(host.VARIABLE, raising=False)
    if asked:
        monkeypatch.setenv(host.VARIABLE, asked)
    monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
    import_module(host.NAME)
    with pytest.raises(ImportError, match=message):
        host.choose()


@pytest.mark.parametrize('variable', [None, 'MMREGIONCL_TRACEBACK'])
def test_a_tool_names_the_hosts_in_one_line(run_python, monkeypatch, variable):
    monkeypatch.setenv(host.VARIABLE, 'mmself')
    if variable:
        monkeypatch.setenv(variable, '1')
    done = run_python(
        TOOLS / 'model_converters/extract_backbone.py', check=False)
    said = 'MMREGIONCL_HOST=mmself is not a valid host: use one of mmselfsup, '
    assert done.returncode == 1
    assert done.stderr.startswith(said) == (variable is None)
    assert len(done.stderr.splitlines()) == 1 or variable


def test_installed_host_is_chosen(monkeypatch):
    monkeypatch.delenv(host.VARIABLE, raising=False)
    monkeypatch.setattr(host, 'INSTALLED', [host.NAME])
    monkeypatch.setitem(sys.modules, OTHER, None)  # an import is blocked
    assert host.choose() == host.NAME


@pytest.mark.parametrize('installed, advice', [
    (host.SCOPES, 'set'),
    ([host.NAME], f"pip install 'mmregioncl[{OTHER}]' and set"),
])
@pytest.mark.parametrize('line, setting', [
    (f'default_scope = {OTHER!r}', 'default_scope'),
    (f"train_pipeline = [dict(type='{OTHER}.A')]", f"type='{OTHER}.A'"),
    (f"neck = dict(type='A', _scope_={OTHER!r})", '_scope_ of A'),
    (f"custom_imports = dict(imports=['{OTHER}.models'])", 'custom_imports'),
    (f'from {OTHER}.models import MoCo', 'an import'),
])
def test_config_of_the_other_host_is_refused(line, setting, installed, advice,
                                             tmp_path, monkeypatch):
    monkeypatch.setattr(host, 'INSTALLED', [*installed])
    path = tmp_path / 'config.py'
    path.write_text(f"model = dict(type='MoCo')\n{line}")
    with pytest.raises(ValueError) as error:
        load_config(path)
    begin = f'{path} is a config of {OTHER}, according to {setting}: '
    assert str(error.value).startswith(begin)
    assert f'mmregioncl: {advice} {host.VARIABLE}={OTHER} to' in str(
        error.value)
    assert str(error.value).endswith(
        f', or use a config of {host.NAME} for the same method')
    path.write_text(path.read_text().replace(OTHER, host.NAME))
    assert load_config(path).model


@pytest.mark.parametrize('read', [load_config, read_file])
def test_base_of_the_other_host_is_refused(read, tmp_path):
    path, base = tmp_path / 'config.py', tmp_path / 'base.py'
    path.write_text("_base_ = 'base.py'")
    base.write_text(f"_base_ = '{OTHER}::a/b.py'")
    with pytest.raises(
            ValueError,
            match=f'^{path} is a config of {OTHER}, according to _base_: '):
        read(path)


def test_other_imports_that_fail_stay_as_they_are(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("custom_imports = dict(imports=['nothing_like_it'])")
    with pytest.raises(ImportError, match='Failed to import'):
        load_config(path)


def test_classes_of_a_host_may_have_our_scope():
    """From the root and from a default scope, as those without a prefix."""
    theirs = MODELS.get(f'{host.NAME}.ResNet')
    ours = MODELS.get('mmregioncl.RegionCLMoCo')
    for registry in (MODELS, MODELS.children['mmregioncl']):
        assert registry.get('mmregioncl.ResNet') is theirs
        assert registry.get('mmregioncl.RegionCLMoCo') is ours
    assert type(MODELS.build(dict(type='mmregioncl.ResNet',
                                  depth=18))) is theirs


@pytest.mark.parametrize('name', [
    f'{host.NAME}.RandomResizedCrop', 'mmregioncl.RandomResizedCrop',
    'mmregioncl.ContrastiveCrop'
])
def test_crops_of_a_host(name):
    """Its settings, before and after it is built, and what is drawn of it."""
    ours = dict(size=96, scale=(0.2, 0.5), ratio=(1, 2))
    theirs = dict(
        zip(('scale', 'crop_ratio_range', 'aspect_ratio_range'),
            ours.values()))
    given = theirs if name.startswith('mmpretrain.') else ours
    step = dict(given, type=name)
    cfg = Config(dict(train_dataloader=dict(dataset=[step])))
    assert is_crop(step) and crop_settings(step) == ours
    assert view_size(cfg) == 96
    crop = crop_of(Compose([TRANSFORMS.build(step)]), alpha=1)
    assert vars(crop).items() >= dict(ours, size=(96, 96)).items()


@pytest.mark.skipif(host.NAME != 'mmpretrain', reason='its setting')
def test_split_of_cifar(tmp_path):
    for split, label in dict(train=3, test=7).items():
        code = cv2.imencode('.jpg', np.zeros((32, 32, 3), 'uint8'))[1]
        np.savez(
            tmp_path / f'{split}.npz',
            jpeg=code,
            offset=[0, len(code)],
            labels=[label])
    cfg = dict(type='mmregioncl.CIFAR10', data_prefix=str(tmp_path))
    for settings, label in ((dict(split='train'), 3), (dict(split='test'), 7),
                            (dict(test_mode=True), 7), ({}, 3)):
        dataset = DATASETS.build(dict(cfg, **settings))
        assert dataset.get_gt_labels().tolist() == [label]
    with pytest.raises(AssertionError, match='split must be one of'):
        DATASETS.build(dict(cfg, split='val'))


def test_probe_learns_from_samples_of_a_host(image_folder):
    """Packed and collated as by its own configs."""
    name = dict(
        mmselfsup='PackSelfSupInputs', mmpretrain='PackInputs')[host.NAME]
    dataset = DATASETS.build(
        dict(
            class_folder(str(image_folder), 32),
            pipeline=[
                dict(type='mmregioncl.LoadImage'),
                dict(type=f'{host.NAME}.{name}')
            ]))
    hook = OnlineLinearProbeHook()
    hook.before_run(
        Mock(train_dataloader=Mock(dataset=dataset, spec=['dataset'])))
    hook.before_train_epoch(
        Mock(
            epoch=0,
            iter=0,
            train_dataloader=[],
            **{'message_hub.get_info.return_value': {}}))
    hook.features = torch.randn(12, 4)
    hook.after_train_iter(None, 0, default_collate([*dataset]))
    assert hook.classes == 2 and hook.seen == 12


def test_fast_transforms_are_for_mmselfsup(tmp_path):
    """Where they are not, nothing advises them."""
    views = dict(type=f'{host.NAME}.MultiView', num_views=2, transforms=[[]])
    flip = dict(type='mmcv.RandomFlip', prob=0.5)
    for step in (views, flip):
        dataset = Mock(
            spec=['pipeline'], pipeline=Compose([TRANSFORMS.build(step)]))
        assert draws_slowly(dataset) == (host.NAME == 'mmselfsup')
    if host.NAME == 'mmpretrain':
        path = tmp_path / 'config.py'
        path.write_text(
            "custom_imports = dict(imports=['mmregioncl.fast_transforms'])")
        with pytest.raises(
                ValueError, match='is for configs of mmselfsup: remove it'):
            Config.fromfile(path)


def test_results_name_the_host(monkeypatch):
    """And every distribution of its stack that may be installed."""
    monkeypatch.setattr(results, 'version', lambda name: '1.0')
    run = results.describe_run(Config({}), None, 0)
    assert run['host'] == host.NAME
    assert run['versions'].keys() > {
        'mmregioncl', 'torch', 'mmengine', 'onedl-mmengine', 'mmcv-lite',
        host.NAME
    }
    assert OTHER not in run['versions']


@pytest.mark.parametrize('cfg, scope', [
    ({}, host.NAME),
    (dict(default_scope=None), host.NAME),
    (dict(default_scope='mmdet'), 'mmdet'),
])
def test_scope_of_a_config(cfg, scope):
    assert host.scope_of(cfg) == scope


def test_momentum_of_a_host():
    assert host.kept(0.99) == (0.99 if host.NAME == 'mmselfsup' else 0.01)
