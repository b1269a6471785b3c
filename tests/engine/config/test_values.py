import pytest

from mmregioncl.engine.config import check_backends, load_config
from toy import CONFIG


@pytest.mark.parametrize('key, value, words', [
    ('auto_scale_lr.base_batch_size', -16, 'a whole number from 1 on'),
    ('auto_scale_lr.enable', 'no', 'True or False'),
    ('default_hooks.checkpoint.save_last', 'off', 'True or False'),
    ('default_hooks.checkpoint.rule', 'higher', 'one of greater, less'),
    ('default_hooks.checkpoint.rule', ['less', 'gr'], 'one of greater, less'),
    ('env_cfg.cudnn_benchmark', 'False', 'True or False'),
    ('env_cfg.mp_cfg.mp_start_method', 'forkk', 'one of .*spawn'),
    ('launcher', 'pytorh', 'one of none, pytorch, slurm, mpi'),
    ('log_processor.by_epoch', 'False', 'True or False'),
    ('log_processor.window_size', 0, 'a whole number from 1 on'),
    ('model.data_preprocessor.bgr_to_rgb', 'False', 'True or False'),
    ('model.momentum', '0.9', '0 or a positive number'),
    ('optim_wrapper.accumulative_counts', 2.5, 'a whole number from 1 on'),
    ('optim_wrapper.optimizer.lr', float('nan'), '0 or a positive number'),
    ('optim_wrapper.optimizer.weight_decay', 'abc', '0 or a positive number'),
    ('optim_wrapper.paramwise_cfg.custom_keys.neck.lr_mult', '0.1',
     '0 or a positive number'),
    ('optim_wrapper.paramwise_cfg.bias_decay_mult', '0',
     '0 or a positive number'),
    ('param_scheduler.0.T_max', 0, 'a positive number'),
    ('randomness.seed', -1, 'a whole number from 0 to 4294967295'),
    ('randomness.seed', 2**32, 'a whole number from 0 to 4294967295'),
    ('resume', 'epoch_1.pth', 'True or False'),
    ('train_cfg.max_epochs', 0, 'a whole number from 1 on'),
    ('train_dataloader.batch_size', -3, 'a whole number from 1 on'),
    ('train_dataloader.drop_last', 'no', 'True or False'),
    ('train_dataloader.num_workers', 1.5, 'a whole number from 0 on'),
    ('train_dataloader.prefetch_factor', 0, 'a whole number from 1 on'),
    ('train_dataloader.timeout', -1, '0 or a positive number'),
])
def test_values_that_are_not_possible_are_refused(key, value, words):
    where, _, name = key.rpartition('.')
    if key == 'model.momentum':
        where = 'RegionCLMoCo'
    where = where or 'the config'
    with pytest.raises(
            ValueError, match=f'^{name}=.* of {where} has to be {words}'):
        load_config(CONFIG, {key: value})
    if not key.startswith(('param_scheduler', 'model')):
        load_config(CONFIG, {key: None})


@pytest.mark.parametrize('options, words', [
    (dict(randomness=3), 'randomness=3 has to be a dict'),
    ({
        'optim_wrapper.clip_grad': 1
    }, 'optim_wrapper.clip_grad=1 has to be a dict'),
    (dict(optim_wrapper=3), 'optim_wrapper=3 has to be a dict'),
    (dict(optim_wrapper=None), 'optim_wrapper=None has no optimizer: set'),
    ({
        'log_processor.custom_cfg': dict(data_src='loss')
    }, 'log_processor.custom_cfg has to be a list of dicts with data_src'),
    ({
        'log_processor.custom_cfg':
        [dict(data_src='loss', method_name='meen')]
    }, "method_name='meen' of .*custom_cfg has to be one of .*mean"),
    ({
        'log_processor.custom_cfg':
        [dict(data_src='loss', method_name='mean', windw=5)]
    }, r'custom_cfg.windw is not a setting of mean \(window_size\?\)'),
    ({
        'log_processor.custom_cfg':
        [dict(data_src='loss', window_size='epoc')]
    }, "window_size='epoc' of .*custom_cfg has to be one of epoch, global"),
    (dict(eval_datasets=dict(tran='a')),
     r'eval_datasets.tran is not read \(train\?\): correct'),
    (dict(auto_scale_lr=16), 'auto_scale_lr=16 has to be a dict'),
    (dict(auto_scale_lr=dict(enable=True)),
     'auto_scale_lr.enable needs auto_scale_lr.base_batch_size'),
    ({
        'default_hooks.checkpoint.filename_tmpl': 'e.pth'
    }, "filename_tmpl='e.pth' of .*checkpoint has to contain {}, the epoch"),
])
def test_settings_that_are_dicts(options, words):
    with pytest.raises(ValueError, match=words):
        load_config(CONFIG, options)


@pytest.mark.parametrize('line, words', [
    ("log_level = 'info'", "log_level='info' has to be one of .*INFO"),
    ("custom_hooks = [dict(type='EMAHook', priority='HGIH')]",
     "custom_hooks.0.priority='HGIH' has to be a number from 0 to 100 or one "
     'of HIGHEST, .*LOWEST$'),
    ('default_hooks = dict(logger=dict(priority=101))',
     'default_hooks.logger.priority=101 has to be'),
    ('default_hooks = dict(checkpoints=dict(interval=1))',
     r'default_hooks.checkpoints has no type \(checkpoint\?\): correct its n'),
    ('default_hooks = dict(logger=dict(interval=10))',
     'default_hooks.logger has no type: correct its name, or set its type'),
])
def test_hooks_and_levels_that_mmengine_lacks_are_refused(
        tmp_path, line, words):
    path = tmp_path / 'config.py'
    path.write_text(f"model = dict(type='MoCo')\n{line}")
    with pytest.raises(ValueError, match=words):
        load_config(path)


@pytest.mark.parametrize('loader', ['train', 'val', 'test'])
def test_settings_that_no_loader_has_are_refused(tmp_path, loader):
    path = tmp_path / 'config.py'
    path.write_text("model = dict(type='MoCo')\n"
                    f'{loader}_dataloader = dict(num_worker=1)')
    with pytest.raises(
            ValueError,
            match=f'^{loader}_dataloader.num_worker is not a setting of '
            r'DataLoader \(num_workers\?\): correct its name$'):
        load_config(path)


@pytest.mark.parametrize('key, near', [
    ('randomness.sed', r'set_random_seed \(seed\?\)'),
    ('env_cfg.mp_cfg.mp_start_metod',
     r'set_multi_processing \(mp_start_method\?\)'),
    ('env_cfg.dist_cfg.timeoutt', r'init_process_group \(timeout\?\)'),
    ('auto_scale_lr.enabled', r'scale_lr \(enable\?\)'),
    ('compile.bakend', r'compile \(backend\?\)'),
    ('log_processor.windowsize', r'LogProcessor \(window_size\?\)'),
])
def test_unknown_settings_of_other_parts_are_refused(tmp_path, key, near):
    path = tmp_path / 'config.py'
    path.write_text("model = dict(type='MoCo')")
    with pytest.raises(
            ValueError,
            match=f'^{key} is not a setting of {near}: correct its name$'):
        load_config(path, {key: 1})


def test_values_that_mmengine_understands_are_kept():
    """Also the settings of a type of the user's own."""
    for options in (dict(sync_bn='mmcv'), {
            'compile.backend': 'eager'
    }, dict(compile=True), {
            'default_hooks.checkpoint.rule': ['less']
    }, {
            'log_processor.type': 'Own',
            'log_processor.mine': 1
    }):
        load_config(CONFIG, options)


def test_choices_at_the_top_of_a_config():
    words = "^sync_bn='tourch' of the config has to be one of torch, mmcv$"
    with pytest.raises(ValueError, match=words):
        load_config(CONFIG, dict(sync_bn='tourch'))


def test_other_loaders_than_those_of_the_runner_are_free(tmp_path):
    """As is a type that is a partial call."""
    path = tmp_path / 'config.py'
    path.write_text('_base_ = []\nimport functools\n'
                    'model = dict(type=functools.partial(dict))\n'
                    "demo_dataloader = dict(batch_size='auto')")
    assert load_config(path).demo_dataloader.batch_size == 'auto'


@pytest.mark.parametrize('key, value, sentence', [
    ('val_cfg', {}, 'val_cfg without val_dataloader and val_evaluator: set'),
])
def test_what_the_runner_rejects_without_a_place(key, value, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_config(CONFIG, {key: value})


@pytest.mark.parametrize('options', [
    {
        'default_hooks.checkpoint.rule': ['less', None]
    },
    {
        'default_hooks.checkpoint': dict(type='my.Keep', rule='best')
    },
    dict(log_processor=dict(type='my.LogProcessor', own=1)),
    {
        'model.data_preprocessor.to_rgb': 'auto'
    },
    {
        'optim_wrapper.paramwise_cfg':
        dict(custom_keys=dict(lr_mult=dict(lr_mult=0.1)))
    },
])
def test_settings_of_own_types_are_left_alone(options):
    load_config(CONFIG, options)


def test_backends_that_are_not_installed():
    """Tools that do not log ignore them."""
    backends = [dict(type='my.WandbVisBackend'), dict(type='AimVisBackend')]
    cfg = load_config(CONFIG, {'visualizer.vis_backends': backends})
    with pytest.raises(
            ValueError, match='visualizer.vis_backends.1 needs aim, which is'):
        check_backends(cfg)
