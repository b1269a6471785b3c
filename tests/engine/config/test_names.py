import re
from unittest.mock import Mock

import pytest

from mmregioncl import host
from mmregioncl.engine.config import load_config, names
from toy import CONFIG


def test_unknown_setting_is_refused():
    with pytest.raises(ValueError, match='did you mean train_dataloader?'):
        load_config(CONFIG, {'train_dataloder.batch_size': 4})


def test_settings_without_their_parents(tmp_path, monkeypatch):
    """Variables are not proposed, since overriding them has no effect."""
    monkeypatch.setattr(names, 'print_log', warned := Mock())
    path = tmp_path / 'config.py'
    path.write_text(
        "pipeline = [dict(size=8)]\nmodel = dict(type='MoCo', queue_len=8)\n"
        'default_hooks = dict(timer=dict(type="A", interval=1), '
        'logger=dict(type="B", interval=1))')
    with pytest.raises(ValueError, match=r'did you mean model\.queue_len\?$'):
        load_config(path, {'queue_len': 4})
    for key, proposed in (('size', 'train_dataloader.dataset.data_root'),
                          ('interval', 'default_hooks.timer.interval, '
                           'default_hooks.logger.interval')):
        assert key in load_config(path, {key: 4})
        assert warned.call_args[0][0].endswith(f'such as {proposed}')


def test_what_runner_reads_besides_its_arguments_is_known():
    assert load_config(CONFIG, {'sync_bn': 'torch'}).sync_bn == 'torch'


@pytest.mark.parametrize('key', ['param_scheduler.T_max', 'model.a.b'])
def test_entries_of_lists_are_counted(key, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('model = dict(a=[dict(b=1)])\n'
                    'param_scheduler = [dict(T_max=9)]')
    name = key.rpartition('.')[0]
    with pytest.raises(ValueError, match=f'as in {name}.0$'):
        load_config(path, {key: 5})
    cfg = load_config(path, {'param_scheduler.0.T_max': 5, 'model.a.0.b': 2})
    assert cfg.param_scheduler[0].T_max == 5
    assert cfg.model.a[0].b == 2


def test_removing_an_unknown_hook_is_refused():
    with pytest.raises(ValueError, match='there is no hook liner to remove'):
        load_config(CONFIG, {'default_hooks.liner': None})


@pytest.mark.parametrize('line, key', [
    ('val_datasets = dict(a=1)', 'val_datasets.a'),
    ('data = dict(a=1)', 'data.a'),
    ('evaluation = dict(interval=1)', 'evaluation.interval'),
    ('my_option = 3', 'my_option'),
])
def test_settings_of_own_code_are_kept(line, key, tmp_path, monkeypatch):
    """A hook may read them from ``runner.cfg``, whatever their names are."""
    monkeypatch.setattr(names, 'print_log', warned := Mock())
    path = tmp_path / 'config.py'
    path.write_text(f'_base_ = {str(CONFIG)!r}\n{line}')
    name = key.partition('.')[0]
    assert name in load_config(path)
    assert not warned.called
    assert name in load_config(path, {key: 4})
    assert warned.call_args[0][0].startswith(
        f'{key} is not a setting of the Runner, and variables have no ')


BASES = {
    'base.py':
    "size = 8\nlr = 0.1\nnote = ''\nmodel = dict(type='MoCo', queue_len=size,"
    ' lr=lr)'
}


@pytest.mark.parametrize(
    'files, warned',
    [
        ({
            'a.py': 'size = 4'
        }, ['size in .*/a.py']),
        ({
            'a.py': 'if True:\n    size: int = 4'
        }, ['size in .*/a.py']),
        ({
            'a.py': 'size = 4\nmodel = dict(queue_len=size)'
        }, []),
        ({
            'a.py': "note = 'mine'\nown = 3"
        }, []),  # which no base has used
        ({
            'a.py': 'size = 4',
            'b.py': 'lr = 0.2'
        }, ['lr in .*/b.py', 'size in .*/a.py']),
        ({
            'a.py': 'size = 4',
            'b.py': 'model = dict(queue_len=_base_.size)'
        }, []),
        ({
            'a.py': 'size = 4',
            'b.py': 'model = dict(queue_len={{_base_.size}})'
        }, []),
    ])
def test_variables_that_come_too_late_are_warned_of(files, warned, tmp_path,
                                                    monkeypatch):
    monkeypatch.setattr(names, 'print_log', warn := Mock())
    base = None
    for name, text in {**BASES, **files}.items():
        path = tmp_path / name
        path.write_text(f'_base_ = {base!r}\n{text}' if base else text)
        base = name
    load_config(path)
    said = [call.args[0] for call in warn.call_args_list]
    assert len(said) == len(warned)
    for line, place in zip(said, warned):
        assert re.match(f'{place} has no effect, since a base has used', line)


@pytest.mark.parametrize('name, near',
                         [('modle', 'model'), ('load_form', 'load_from'),
                          ('train_dataloder', 'train_dataloader')])
def test_misspelled_settings_of_a_file_are_warned_of(name, near, tmp_path,
                                                     monkeypatch):
    """A variable that a setting uses is none."""
    monkeypatch.setattr(names, 'print_log', warned := Mock())
    path = tmp_path / 'a.py'
    text = f'_base_ = {str(CONFIG)!r}\n{name} = dict(a=1)\n'
    path.write_text(f'{text}own = {name}')
    load_config(path)
    assert not warned.called
    path.write_text(text)
    load_config(path)
    assert warned.call_args[0][0] == (
        f'{name} in {path} is not a setting, did you mean {near}?')


@pytest.mark.parametrize(
    'line, near',
    [
        ('queue_len = 64', 'model.queue_len'),
        ('base_channels = 64', 'model.backbone.base_channels or '
         'model.neck.base_channels'),
        ('data_preprocessor = dict(mean=[0])', 'model.data_preprocessor'),
        ('queue_len = 8', None),  # as the model has
        ('interval = 64', None),  # of many settings
        ('size = 64', None),  # of no setting
        ('queue_len = 64\nown = queue_len', None),
        ('queue_len = 64\nown = str(locals())', None),
        ('for queue_len in range(3): pass', None),
    ])
def test_settings_of_a_file_without_their_parents(line, near, tmp_path,
                                                  monkeypatch):
    monkeypatch.setattr(names, 'print_log', warned := Mock())
    path = tmp_path / 'a.py'
    path.write_text(
        "model = dict(type='MoCo', queue_len=8, data_preprocessor=dict(), "
        'backbone=dict(base_channels=8), neck=dict(base_channels=4))\n'
        'custom_hooks = [dict(type="A", interval=1) for _ in range(4)]\n'
        f'{line}')
    load_config(path, {'model.queue_len': 32})  # has no part in it
    assert [call.args[0] for call in warned.call_args_list] == [
        f'{line.partition(" ")[0]} in {path} has no effect, did you mean '
        f'{near}?'
    ] * bool(near)


def test_the_preprocessor_of_the_model_takes_precedence(tmp_path, monkeypatch):
    """The Runner takes that of the config only for a model without one."""
    monkeypatch.setattr(names, 'print_log', warned := Mock())
    path, key = tmp_path / 'a.py', 'data_preprocessor.mean'
    path.write_text(
        "model = dict(type='MoCo', data_preprocessor=dict(mean=1))")
    with pytest.raises(ValueError, match=f'did you mean model.{key}'):
        load_config(path, {key: 0})
    path.write_text("model = dict(type='MoCo')\n"
                    'data_preprocessor = dict(mean=1)')
    load_config(path, {key: 0})
    assert not warned.called


def test_imports_that_mmengine_ignores_are_refused(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(f'from {host.NAME}.models import MoCo\n'
                    'model = dict(type=MoCo)\n'
                    "custom_imports = dict(imports=['mmregioncl'])")
    with pytest.raises(ValueError, match='ignores custom_imports of a pure'):
        load_config(path)
