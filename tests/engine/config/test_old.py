import inspect
import re
from unittest.mock import Mock

import pytest
from mmengine.runner import Runner

from mmregioncl.engine.config import load_config, names
from mmregioncl.engine.config.old import OLD_SETTINGS
from toy import CONFIG

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
        'MMDetection 2.x: translate data to train_dataloader and '
        'eval_datasets (in fine-tuning: val_dataloader and test_dataloader); '
        'optimizer to optim_wrapper.optimizer; optimizer_config to '
        'optim_wrapper; lr_config to param_scheduler; runner to train_cfg; '
        'workflow to train_cfg.val_interval; evaluation to default_hooks.knn '
        '(in fine-tuning: val_cfg and val_evaluator); checkpoint_config to '
        'default_hooks.checkpoint; log_config to default_hooks.logger and '
        'visualizer; dist_params to env_cfg.dist_cfg; cudnn_benchmark to '
        'env_cfg.cudnn_benchmark')
    path.write_text(f'_base_ = {str(CONFIG)!r}\nfast_transforms = True')
    with pytest.raises(ValueError, match='sets fast_transforms, which was '):
        load_config(path)


@pytest.mark.parametrize('lines, old', [
    ("optimizer = dict(type='SGD', lr=0.01)\nlr_config = dict(policy='step')",
     'optimizer in {path} (now optim_wrapper.optimizer); lr_config in {path} '
     '(now param_scheduler)'),
    ('total_epochs = 9', 'total_epochs in {path} (now train_cfg.max_epochs)'),
    ('optimizer = dict(lr=1)\noptim_wrapper = dict(optimizer=optimizer)', ''),
    ('optimizer = _base_.optim_wrapper.optimizer', ''),
])
def test_old_settings_beside_those_of_today_are_warned_of(
        lines, old, tmp_path, monkeypatch):
    """Configs of the hosts have some.

    A variable that a setting uses is none.
    """
    monkeypatch.setattr(names, 'print_log', warned := Mock())
    path = tmp_path / 'config.py'
    path.write_text(f'_base_ = {str(CONFIG)!r}\n{lines}')
    load_config(path)
    said = [call.args[0] for call in warned.call_args_list]
    assert said == [
        'settings of MMSelfSup 0.x have no effect: remove them, or set those '
        f'of today: {old.format(path=path)}'
    ] * bool(old)


@pytest.mark.parametrize('old, new', OLD_SETTINGS.items())
def test_option_of_an_older_version_is_refused(old, new):
    with pytest.raises(
            ValueError, match=f'^{old}.a is .* 0.x: set {re.escape(new)}$'):
        load_config(CONFIG, {f'{old}.a': 1})


def test_settings_are_renamed_to_some_that_exist():
    known = {*inspect.signature(Runner.__init__).parameters, 'eval_datasets'}
    for new in OLD_SETTINGS.values():
        for name in new.replace(' (in fine-tuning: ', ' and ').split(' and '):
            assert name.strip(')').split('.')[0] in known
