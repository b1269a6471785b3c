import inspect
import re
import zipfile
from pathlib import Path
from unittest.mock import Mock

import pytest
from mmengine.config import Config, config
from mmengine.config.utils import ConfigParsingError
from mmengine.runner import Runner
from yapf.yapflib.yapf_api import FormatCode

from mmregioncl import host
from mmregioncl.engine import config_checks
from mmregioncl.engine.config import (check_data, checkpoint_name,
                                      enable_scaled_lr, load_config,
                                      set_pretrained)
from mmregioncl.engine.old_configs import OLD_SETTINGS

CONFIG = (
    Path(__file__).parents[2] / 'configs/regioncl' /
    'regioncl-m_resnet18_1xb512-coslr-200e_cifar10.py')


def test_settings_are_overridden():
    cfg = load_config(CONFIG, {'model.queue_len': 64, 'randomness.seed': 1})
    assert cfg.model.queue_len == 64
    assert cfg.randomness.seed == 1  # known to the Runner, not in the config


def test_unknown_setting_is_refused():
    with pytest.raises(ValueError, match='did you mean train_dataloader?'):
        load_config(CONFIG, {'train_dataloder.batch_size': 4})


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


OLD_CONFIG = """
model = dict(type='MOCO', backbone=dict(type='ResNet', depth=50))
data = dict(samples_per_gpu=32, workers_per_gpu=4, train=dict(type='A'))
optimizer = dict(type='SGD', lr=0.03)
optimizer_config = dict()
lr_config = dict(policy='CosineAnnealing', min_lr=0.)
runner = dict(type='EpochBasedRunner', max_epochs=200)
checkpoint_config = dict(interval=10)
log_config = dict(interval=50, hooks=[dict(type='TextLoggerHook')])
evaluation = dict(interval=1)
custom_hooks = [dict(type='SwAVHook', priority='VERY_HIGH')]
dist_params = dict(backend='nccl')
cudnn_benchmark = True
resume_from = None
workflow = [('train', 1)]
"""


def test_config_of_an_older_version_is_refused(tmp_path):
    path = tmp_path / 'moco.py'
    path.write_text(OLD_CONFIG)
    with pytest.raises(ValueError) as caught:
        load_config(path)
    assert str(caught.value) == (
        f'{path} is a config of MMSelfSup 0.x, MMClassification 0.x or '
        'MMDetection 2.x: translate data to train_dataloader, val_dataloader '
        'and test_dataloader; optimizer to optim_wrapper.optimizer; '
        'optimizer_config to optim_wrapper; lr_config to param_scheduler; '
        'runner to train_cfg; workflow to train_cfg.val_interval; evaluation '
        'to val_cfg and val_evaluator; checkpoint_config to '
        'default_hooks.checkpoint; log_config to default_hooks.logger and '
        'visualizer; dist_params to env_cfg.dist_cfg; cudnn_benchmark to '
        'env_cfg.cudnn_benchmark')
    path.write_text(f'_base_ = {str(CONFIG)!r}\nfast_transforms = True')
    with pytest.raises(ValueError, match='sets fast_transforms, which is gon'):
        load_config(path)


@pytest.mark.parametrize('line, key', [
    ('val_datasets = dict(a=1)', 'val_datasets.a'),
    ('data = dict(a=1)', 'data.a'),
    ('evaluation = dict(interval=1)', 'evaluation.interval'),
    ('my_option = 3', 'my_option'),
])
def test_settings_of_own_code_are_kept(line, key, tmp_path, monkeypatch):
    """A hook may read them from ``runner.cfg``, whatever their names are."""
    monkeypatch.setattr(config_checks, 'print_log', warned := Mock())
    path = tmp_path / 'config.py'
    path.write_text(f'_base_ = {str(CONFIG)!r}\n{line}')
    name = key.partition('.')[0]
    assert name in load_config(path)
    assert not warned.called
    assert name in load_config(path, {key: 4})
    assert warned.call_args[0][0].startswith(
        f'{key} is no setting of the Runner, and variables have no effect ')


@pytest.mark.parametrize('line, new', [
    ("optimizer = dict(type='SGD', lr=0.01)", 'optim_wrapper.optimizer'),
    ("lr_config = dict(policy='step')", 'param_scheduler'),
    ('runner = dict(max_epochs=9)', 'train_cfg'),
    ('total_epochs = 9', 'train_cfg.max_epochs'),
    ('optimizer = dict(lr=1)\noptim_wrapper = dict(optimizer=optimizer)',
     None),
    ('optimizer = _base_.optim_wrapper.optimizer', None),
])
def test_settings_of_an_older_version_are_refused(line, new, tmp_path):
    """A variable that the new setting uses is none."""
    path = tmp_path / 'config.py'
    path.write_text(f'_base_ = {str(CONFIG)!r}\n{line}')
    if new is None:
        load_config(path)
        return
    name = line.partition(' ')[0]
    with pytest.raises(
            ValueError,
            match=f'^{name} in {path} has no effect: set {new}, or remove it'):
        load_config(path)


@pytest.mark.parametrize('key, value, words', [
    ('env_cfg.mp_cfg.mp_start_method', 'forkk', 'one of .*spawn'),
    ('optim_wrapper.accumulative_counts', 2.5, 'a whole number from 1 on'),
    ('optim_wrapper.optimizer.lr', float('nan'), '0 or a positive number'),
    ('optim_wrapper.optimizer.weight_decay', 'abc', '0 or a positive number'),
    ('param_scheduler.0.T_max', 0, 'a positive number'),
    ('randomness.seed', -1, 'a whole number from 0 on'),
    ('train_cfg.max_epochs', 0, 'a whole number from 1 on'),
    ('train_dataloader.batch_size', -3, 'a whole number from 1 on'),
    ('train_dataloader.num_workers', 1.5, 'a whole number from 0 on'),
    ('train_dataloader.prefetch_factor', 0, 'a whole number from 1 on'),
    ('train_dataloader.timeout', -1, '0 or a positive number'),
])
def test_values_that_are_not_possible_are_refused(key, value, words):
    where, _, name = key.rpartition('.')
    with pytest.raises(
            ValueError, match=f'^{name}=.* of {where} has to be {words}'):
        load_config(CONFIG, {key: value})
    if not key.startswith('param_scheduler'):
        load_config(CONFIG, {key: None})


@pytest.mark.parametrize('options, words', [
    (dict(randomness=3), 'randomness=3 has to be a dict'),
    ({
        'optim_wrapper.clip_grad': 1
    }, 'optim_wrapper.clip_grad=1 has to be a dict'),
    (dict(optim_wrapper=3), 'optim_wrapper=3 has to be a dict'),
    (dict(optim_wrapper=None), 'optim_wrapper=None has no optimizer: set'),
])
def test_settings_that_are_dicts(options, words):
    with pytest.raises(ValueError, match=words):
        load_config(CONFIG, options)


def test_a_missing_base_is_named(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("_base_ = ['nowhere.py']")
    with pytest.raises(
            FileNotFoundError,
            match='config.py cannot be read, since its base .*/nowhere.py is '
            'not there: '):
        load_config(path)
    with pytest.raises(FileNotFoundError, match='no config .*/nowhere.py: na'):
        load_config(tmp_path / 'nowhere.py')


@pytest.mark.parametrize('old, new', OLD_SETTINGS.items())
def test_option_of_an_older_version_is_refused(old, new):
    with pytest.raises(ValueError, match=f'^{old}.a is .* 0.x: set {new}$'):
        load_config(CONFIG, {f'{old}.a': 1})


def test_settings_are_renamed_to_some_that_exist():
    known = inspect.signature(Runner.__init__).parameters
    for new in OLD_SETTINGS.values():
        for name in new.replace(', ', ' and ').split(' and '):
            assert name.split('.')[0] in known


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
    monkeypatch.setattr(config_checks, 'print_log', warn := Mock())
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


@pytest.mark.parametrize('line, words', [
    ("log_level = 'info'", "log_level='info' has to be one of .*INFO"),
    ("custom_hooks = [dict(type='EMAHook', priority='HGIH')]",
     "custom_hooks.0.priority='HGIH' has to be a number from 0 to 100 or one "
     'of HIGHEST, .*LOWEST$'),
    ('default_hooks = dict(logger=dict(priority=101))',
     'default_hooks.logger.priority=101 has to be'),
    ('default_hooks = dict(checkpoints=dict(interval=1))',
     r'default_hooks.checkpoints has no type \(checkpoint\?\): correct its n'),
])
def test_hooks_and_levels_that_mmengine_lacks_are_refused(
        tmp_path, line, words):
    path = tmp_path / 'config.py'
    path.write_text(f"model = dict(type='MoCo')\n{line}")
    with pytest.raises(ValueError, match=words):
        load_config(path)


def test_learning_rates_are_scaled_from_a_batch_that_is_known():
    cfg = load_config(CONFIG, {'auto_scale_lr.base_batch_size': 512})
    assert 'enable' not in cfg.auto_scale_lr
    enable_scaled_lr(cfg)
    assert cfg.auto_scale_lr.enable
    with pytest.raises(ValueError, match='for which batch its learning rate'):
        enable_scaled_lr(load_config(CONFIG))


def test_imports_that_mmengine_ignores_are_refused(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(f'from {host.NAME}.models import MoCo\n'
                    'model = dict(type=MoCo)\n'
                    "custom_imports = dict(imports=['mmregioncl'])")
    with pytest.raises(ValueError, match='ignores custom_imports of a pure'):
        load_config(path)


def test_text_of_a_config_is_formatted(monkeypatch):
    """Yapf formats the saved config; other tests skip that."""
    cfg = load_config(CONFIG)
    plain = cfg.pretty_text
    monkeypatch.setattr(config, 'FormatCode', FormatCode)
    assert cfg.pretty_text != plain
    again = Config.fromstring(cfg.pretty_text, '.py')
    assert again.to_dict() == cfg.to_dict()


def test_settings_of_hooks_may_be_none():
    cfg = load_config(CONFIG,
                      {'default_hooks.checkpoint.max_keep_ckpts': None})
    assert cfg.default_hooks.checkpoint.max_keep_ckpts is None


def test_no_hooks_at_all():
    assert load_config(CONFIG, {'default_hooks': None}).default_hooks is None


def test_hooks_that_are_none_are_removed(tmp_path):
    """Our hooks and default hooks of MMEngine."""
    none = ['linear', 'checkpoint', 'timer']
    cfg = load_config(CONFIG, {f'default_hooks.{name}': None for name in none})
    for name in ('knn', 'health'):  # need data
        assert cfg.default_hooks.pop(name)
    cfg.work_dir = str(tmp_path)
    hooks = {type(hook).__name__ for hook in Runner.from_cfg(cfg).hooks}
    assert 'GuardHook' in hooks
    assert not {
        'OnlineLinearProbeHook', 'CheckpointHook', 'ThroughputHook',
        'IterTimerHook'
    } & hooks


def test_mixed_ways_to_inherit_are_refused(tmp_path, monkeypatch):
    """Bases in strings beside an import, which MMEngine takes for a base."""
    monkeypatch.setattr(Config, 'fromfile',
                        Mock(side_effect=ConfigParsingError('mixed')))
    with pytest.raises(
            ValueError, match='the config a.py cannot be read: mixed'):
        load_config('a.py')


@pytest.mark.parametrize('name, text, words', [
    ('a.py', 'a = = 3', '{path} is not valid Python'),
    ('a.py', 'a = 3', 'has no model'),
    ('a.json', '{"model": ', 'the config {path} cannot be read: Expecting'),
    ('a.yml', 'model: [1, 2', 'the config {path} cannot be read: ParserError'),
    ('a.yaml', 'model: !!python/object/apply:os.system ["true"]',
     'the config {path} cannot be read: the file holds object/apply:os.sys'),
])
def test_other_files_are_refused(name, text, words, tmp_path):
    """By their own name, and not by that of MMEngine's copy."""
    path = tmp_path / name
    path.write_text(text)
    heir = tmp_path / 'heir.py'
    heir.write_text(f'_base_ = {name!r}')
    for given in (path, heir):
        with pytest.raises(ValueError, match=words.format(path=path)):
            load_config(given)


def test_errors_in_the_code_of_a_config_stay_what_they_are(tmp_path):
    path = tmp_path / 'a.py'
    path.write_text("model = dict(depth=int('x'))")
    with pytest.raises(ValueError, match='^invalid literal for int'):
        load_config(path)
    path.write_text("names = open('/no/names.txt').read()")
    with pytest.raises(FileNotFoundError, match="directory: '/no/names.txt'"):
        load_config(path)


@pytest.fixture
def data_cfg(tmp_path):
    (tmp_path / 'train.json').touch()
    (tmp_path / 'images').mkdir()
    dataset = dict(
        data_root=str(tmp_path),
        ann_file='train.json',
        data_prefix=dict(img='images/'))
    return Config(
        dict(
            train_dataloader=dict(
                dataset=dict(dataset=dict(datasets=[dataset, dataset]))),
            val_dataloader=None,
            test_dataloader=dict(dataset=dict(data_root='/nowhere'))))


def test_existing_data(data_cfg):
    """Only the dataloaders that are named are checked."""
    check_data(data_cfg, 'train_dataloader', 'val_dataloader')
    data_cfg.val_dataloader = dict(
        dataset=dict(data_root='s3://bucket/coco', ann_file='a.json'))
    check_data(data_cfg, 'val_dataloader')


@pytest.mark.parametrize('change, what', [
    (dict(data_root='/no/coco'), '/no/coco'),
    (dict(ann_file='val.json'), '.*/val.json'),
    (dict(data_prefix=dict(img='val/')), '.*/val/'),
    (dict(data_prefix='/no/cifar'), '/no/cifar'),
])
def test_missing_data_is_named_with_what_to_set(data_cfg, change, what):
    data_cfg.train_dataloader.dataset.dataset.datasets[1].update(change)
    place = 'train_dataloader.dataset.dataset.datasets.1'
    with pytest.raises(
            FileNotFoundError,
            match=f'^{place} reads {what}, which is not there: link the data '
            f'there, or set {place}.data_root$'):
        check_data(data_cfg, 'train_dataloader')


def test_misspelt_paths_are_named_before_the_default_folder(data_cfg):
    part = data_cfg.train_dataloader.dataset.dataset.datasets[1]
    part.update(dataroot=part.data_root, data_root='data/images')
    with pytest.raises(
            FileNotFoundError,
            match=r'there: correct the name of dataroot \(data_root\?\)$'):
        check_data(data_cfg, 'train_dataloader')


def test_several_folders_take_a_data_set_each():
    given = dict(train_dataloader=dict(dataset=dict(data_root=['a', 'b'])))
    words = r"set.data_root=\['a', 'b'\] is no path: for several folders, set "
    with pytest.raises(ValueError, match=words):
        check_data(Config(given), 'train_dataloader')


def test_data_of_evaluations_is_checked(data_cfg, tmp_path):
    """Data that is downloaded is not."""
    data_cfg.eval_datasets = dict(
        train=dict(data_root=str(tmp_path)), test=dict(data_root='/nowhere'))
    with pytest.raises(
            FileNotFoundError, match='^eval_datasets.test reads /n'):
        check_data(data_cfg, 'eval_datasets')
    data_cfg.eval_datasets.test.download = True
    check_data(data_cfg, 'eval_datasets')


def test_paths_and_compressed_annotations_are_left_alone(data_cfg, tmp_path):
    (tmp_path / 'ann.json.gz').touch()
    part = data_cfg.train_dataloader.dataset.dataset.datasets[1]
    part.clear()
    part.update(type='Any', data_root=tmp_path, ann_file='ann.json.gz')
    check_data(data_cfg, 'train_dataloader')


def test_data_in_an_archive_is_found(data_cfg, tmp_path):
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as archive:
        archive.writestr('train/list.txt', '1.png')
    part = data_cfg.train_dataloader.dataset.dataset.datasets[1]
    part.clear()
    part.update(
        type='mmregioncl.ImageFolder',
        data_root=f'{tmp_path}/x.zip/train',
        ann_file='list.txt')
    check_data(data_cfg, 'train_dataloader')
    part.ann_file = 'other.txt'
    with pytest.raises(FileNotFoundError, match='x.zip/train/other.txt, whi'):
        check_data(data_cfg, 'train_dataloader')
    part.update(type='CustomDataset', ann_file='list.txt')
    with pytest.raises(ValueError, match='a folder: write archive:///.*train'):
        check_data(data_cfg, 'train_dataloader')
    part.data_root = f'archive://{part.data_root}'
    check_data(data_cfg, 'train_dataloader')
    part.update(data_root='/data/\udcff')
    with pytest.raises(ValueError, match='is not valid UTF-8, as configs ha'):
        check_data(data_cfg, 'train_dataloader')


def test_checkpoint_to_fine_tune(tmp_path):
    cfg = Config(dict(default_hooks=dict(pretrained=dict())))
    path = tmp_path / 'epoch_3.pth'
    with pytest.raises(
            FileNotFoundError, match='that exists, or "none" for random'):
        set_pretrained(cfg, str(path))
    path.touch()
    set_pretrained(cfg, str(path))
    assert cfg.default_hooks.pretrained.checkpoint == str(path)
    for other in (dict(default_hooks=dict()), dict()):
        with pytest.raises(ValueError, match='choose a config of configs/be'):
            set_pretrained(Config(other), 'none')


@pytest.mark.parametrize('checkpoint, name', [
    ('work_dirs/regioncl-m/epoch_200.pth', 'regioncl-m-epoch_200'),
    ('https://host/models/r50.safetensors', 'models-r50'),
    ('r50.pth', 'r50'),
    ('none', 'none'),
])
def test_runs_are_named_after_their_checkpoint(checkpoint, name):
    assert checkpoint_name(checkpoint) == name


@pytest.mark.parametrize('loader', ['train', 'val', 'test'])
def test_settings_that_no_loader_has_are_refused(tmp_path, loader):
    path = tmp_path / 'config.py'
    path.write_text("model = dict(type='MoCo')\n"
                    f'{loader}_dataloader = dict(num_worker=1)')
    with pytest.raises(
            ValueError,
            match=f'^{loader}_dataloader.num_worker is no setting of '
            r'DataLoader \(num_workers\?\): correct its name$'):
        load_config(path)
