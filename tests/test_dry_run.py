from unittest.mock import Mock

import pytest
import torch
from mmengine.hooks import LoggerHook
from mmengine.runner import Runner
from mmengine.visualization import TensorboardVisBackend
from torch import nn

from mmregioncl.dry_run import duration, log_of, regions_of


@pytest.mark.parametrize('loop, settings, words, steps', [
    (dict(max_iters=5), dict(interval=2), 'every 2 steps, to', [2, 4]),
    (dict(max_iters=5), dict(interval=4), 'every 4 steps and after step 3, to',
     [3, 4]),
    (dict(max_iters=2), dict(interval=3), 'never', []),
    (dict(max_epochs=2), dict(interval=2, ignore_last=False),
     'every 2 steps and at the end of each epoch, to', [2, 3, 5, 6]),
])
def test_losses_are_logged_when_a_dry_run_says(runner_cfg, loop, settings,
                                               words, steps):
    """3 steps are a pass over the images, in loops of both kinds."""
    kind = 'IterBasedTrainLoop' if 'max_iters' in loop else \
        'EpochBasedTrainLoop'
    runner_cfg.train_cfg = dict(type=kind, **loop)
    runner_cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    runner_cfg.default_hooks = dict(
        checkpoint=None, logger=dict(type='LoggerHook', **settings))
    runner_cfg.custom_hooks = []
    runner = Runner.from_cfg(runner_cfg)
    runner.model.train_step = Mock(return_value=dict(loss=torch.ones(())))
    runner.visualizer.add_scalars = Mock()
    runner.train()
    logged = runner.visualizer.add_scalars.call_args_list
    assert [call.kwargs['step'] for call in logged] == steps
    hook, = (hook for hook in runner.hooks if isinstance(hook, LoggerHook))
    told = log_of(runner, hook, [
        dict(type=TensorboardVisBackend),
        dict(type='mmengine.LocalVisBackend')
    ])
    assert told.startswith(words)
    if steps:
        assert told.endswith(
            'to terminal, log file, TensorBoard and scalars.json')


def test_times_have_the_unit_that_suits_them():
    assert [*map(duration, (119, 120, 7200, 345600))
            ] == ['119 s', '2 min', '2 h', '4 days']


def test_a_model_without_regions_has_no_line_of_them():
    assert not regions_of(nn.Identity(), (), (32, 32))
