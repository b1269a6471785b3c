from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import (CosineAnnealingLR, LinearLR, MultiStepLR,
                            OptimWrapper)
from torch.utils.data import DataLoader

from mmregioncl.engine.resuming import (changes, progress, read_settings,
                                        reset_schedule)

BEFORE = dict(
    model=dict(type='MoCo', queue_len=64),
    train_dataloader=dict(
        batch_size=32,
        num_workers=4,
        dataset=dict(pipeline=[dict(type='Crop', scale=(0.2, 1.))])),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.03)),
    default_hooks=dict(
        logger=dict(interval=50), boxes=dict(type='Boxes', threshold=0.1)),
    work_dir='a',
    view_pipeline=[dict(type='Crop', scale=(0.2, 1.))])


def changed(**settings) -> list:
    """What differs after dotted settings were changed."""
    now = Config(BEFORE)
    now.merge_from_dict(settings)
    return changes(Config(BEFORE).pretty_text, now.pretty_text)


@pytest.mark.parametrize('key, value, line', [
    ('optim_wrapper.optimizer.lr', 0.06,
     'optim_wrapper.optimizer.lr: 0.03 -> 0.06'),
    ('model.momentum', 0.99, 'model.momentum: (not set) -> 0.99'),
    ('train_dataloader.dataset.pipeline.0.scale',
     (0.5, 1.), 'train_dataloader.dataset.pipeline.0.scale.0: 0.2 -> 0.5'),
    ('default_hooks.boxes.threshold', 0.3,
     'default_hooks.boxes.threshold: 0.1 -> 0.3'),
    ('train_dataloader.num_workers', 0, None),
    ('default_hooks.logger.interval', 10, None),
    ('work_dir', 'b', None),
    ('view_pipeline.0.scale', (0.5, 1.), None),
])
def test_changes_that_affect_training_are_named(key, value, line):
    assert changed(**{key: value}) == ([line] if line else [])


def test_settings_are_read_as_they_are():
    cfg = Config(
        dict(
            model=dict(
                BEFORE['model'],
                end=float('inf'),
                none=None,
                names={
                    'a.b': 1,
                    3: [dict(x=-1)]
                })))
    assert read_settings(cfg.pretty_text)['model'] == dict(
        BEFORE['model'],
        end='inf',
        none=None,
        names={
            "'a.b'": 1,
            '3': [dict(x=-1)]
        })


def test_a_config_in_a_checkpoint_does_not_run(tmp_path):
    """It may come from anybody."""
    trap = tmp_path / 'trap'
    code = f'open({str(trap)!r}, "w")'
    text = f'import os\nmodel = dict(a={code}, b=[{code}])\n{code}\nx: 1 = 2'
    assert read_settings(text)['model']['a'].startswith('open(')
    assert not trap.exists()


LENGTH = 5  # steps an epoch


def schedules(optimizer, total: int) -> list:
    return [
        LinearLR(optimizer, 0.1, by_epoch=False, end=7),
        CosineAnnealingLR(
            optimizer, T_max=total - 1, by_epoch=True, begin=1, end=total),
        MultiStepLR(optimizer, milestones=[9, 18], by_epoch=False, gamma=0.5)
    ]


def make_run(lr: float, total: int, epoch: int, step: int):
    """An optimizer with two groups, and its schedulers, after some steps."""
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD(
        [dict(params=weights[:1]),
         dict(params=weights[1:], lr=lr / 10)],
        lr=lr,
        momentum=0.9)
    wrapper = OptimWrapper(optimizer)
    fresh = [{
        k: v
        for k, v in group.items() if k != 'params'
    } for group in wrapper.param_groups]
    for group in fresh:
        group['initial_lr'] = group['lr']
    schedulers = schedules(wrapper, total)
    for number in range(step):
        for scheduler in schedulers:
            if not scheduler.by_epoch:
                scheduler.step()
        if (number + 1) % LENGTH == 0 and number // LENGTH < epoch:
            schedulers[1].step()
    runner = Mock(
        optim_wrapper=wrapper,
        param_schedulers=schedulers,
        train_dataloader=range(LENGTH),
        epoch=epoch,
        iter=step)
    runner.cfg = SimpleNamespace(param_scheduler=None)
    return runner, fresh


def rates(runner) -> list:
    return [group['lr'] for group in runner.optim_wrapper.param_groups]


@pytest.mark.parametrize('step', [0, 3, 5, 11, 20])
@pytest.mark.filterwarnings('ignore')
def test_the_schedule_of_the_config_is_followed(step):
    """As if it had been that of the run from the first step on."""
    epoch = step // LENGTH
    runner, _ = make_run(0.1, 6, epoch, step)
    wanted, fresh = make_run(0.3, 8, epoch, step)
    runner.build_param_scheduler = lambda cfg: schedules(
        runner.optim_wrapper, 8)
    if step:
        assert rates(runner) != rates(wanted)
    reset_schedule(runner, fresh)
    assert rates(runner) == rates(wanted)  # to the bit
    for first, second in zip(runner.param_schedulers, wanted.param_schedulers):
        assert first.state_dict() == second.state_dict()


@pytest.mark.filterwarnings('ignore')
def test_epochs_count_that_had_fewer_steps():
    """The data has grown."""
    runner, fresh = make_run(0.1, 6, 3, LENGTH)
    runner.build_param_scheduler = lambda cfg: schedules(
        runner.optim_wrapper, 8)
    reset_schedule(runner, fresh)
    assert runner.param_schedulers[1]._global_step == 3


def test_weight_decay_and_momentum_are_those_of_the_config():
    runner, fresh = make_run(0.1, 6, 0, 0)
    runner.param_schedulers = None
    fresh[1].update(weight_decay=0.5, momentum=0.8)
    reset_schedule(runner, fresh)
    group = runner.optim_wrapper.param_groups[1]
    assert (group['weight_decay'], group['momentum']) == (0.5, 0.8)
    assert len(group['params']) == 1


def test_progress_of_a_batch_sampler_of_indices_only():
    """It needs neither a ``batch_size`` nor a ``sampler``."""
    loader = DataLoader(range(6), batch_sampler=[[0, 1, 2], [3, 4, 5]])
    known = progress(Mock(world_size=1, train_dataloader=loader))
    assert known == dict(
        epoch_length=2, batch_size=3, world_size=1, images=6, data_seed=None)
