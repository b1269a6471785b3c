import copy
from unittest.mock import Mock

import pytest
import torch
from mmengine.runner import Runner

from mmregioncl.engine.checks import check_whole
from mmregioncl.engine.resuming import is_progress
from mmregioncl.hooks import ResumeHook


@pytest.fixture
def resumable(seeded_runner_cfg):
    """Two epochs of three steps, with a cosine schedule."""
    cfg = seeded_runner_cfg
    cfg.default_hooks.resume = dict(type='mmregioncl.ResumeHook')
    cfg.optim_wrapper.optimizer.update(lr=0.1, weight_decay=0.01)
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', T_max=4, end=4)]
    cfg.model.queue_len = 8
    return cfg


def resume(cfg, tmp_path, **settings):
    """Train an epoch, resume with other settings; returns warnings, too."""
    cfg.train_cfg.max_epochs = 1
    Runner.from_cfg(copy.deepcopy(cfg)).train()
    cfg.update(
        resume=True,
        load_from=str(tmp_path / 'run/epoch_1.pth'),
        experiment_name='resumed')
    cfg.merge_from_dict(settings)
    runner = Runner.from_cfg(cfg)
    runner.logger.warning = warned = Mock()
    runner.train_loop.run = lambda: runner.call_hook('before_train')
    runner.train()
    return runner, [call.args[0] for call in warned.call_args_list]


def test_an_equal_config_changes_nothing(resumable, tmp_path):
    runner, warned = resume(resumable, tmp_path)
    assert [line[:30] for line in warned] == ['the learning rate is scheduled']
    group = runner.optim_wrapper.param_groups[0]
    saved = torch.load(resumable.load_from)['optimizer']['param_groups'][0]
    assert group['lr'] == saved['lr'] != 0.1


@pytest.mark.parametrize('schedule, lr', [('config', 0.2),
                                          ('checkpoint', 0.1)])
def test_the_optimizer_follows_the_config(resumable, tmp_path, schedule, lr):
    resumable.default_hooks.resume.schedule = schedule
    runner, warned = resume(
        resumable, tmp_path, **{
            'optim_wrapper.optimizer.lr': 0.2,
            'optim_wrapper.optimizer.weight_decay': 0.5
        })
    said = '\n'.join(warned)
    assert f'settings differ from those in {resumable.load_from}:' in said
    assert '\n  optim_wrapper.optimizer.lr: 0.1 -> 0.2' in said
    group = runner.optim_wrapper.param_groups[0]
    cosine = (1 + 2**-0.5) / 2  # a quarter of the way
    assert group['lr'] == pytest.approx(lr * cosine)
    assert group['weight_decay'] == dict(config=0.5, checkpoint=0.01)[schedule]
    assert ('follow the checkpoint' in said) == (schedule == 'checkpoint')


def test_the_checkpoint_that_mmengine_finds_is_named(resumable, tmp_path):
    """By ``resume=True`` of a config, without a name."""
    path = tmp_path / 'run/epoch_1.pth'
    _, warned = resume(
        resumable,
        tmp_path,
        load_from=None,
        **{'optim_wrapper.optimizer.lr': 0.2})
    assert f'these settings differ from those in {path}:' in warned[0]


def test_more_epochs_lengthen_the_schedule(resumable, tmp_path):
    """MMEngine keeps the old one, and warns of the new setting."""
    runner, warned = resume(
        resumable, tmp_path, **{
            'train_cfg.max_epochs': 8,
            'param_scheduler.0.T_max': 8,
            'param_scheduler.0.end': 8
        })
    said = '\n'.join(warned)
    assert 'train_cfg.max_epochs: 1 -> 8' in said
    assert 'is scheduled for' not in said
    assert runner.param_schedulers[0].T_max == 8


def test_another_batch_and_number_of_processes_count_their_own_steps(
        resumable, tmp_path):
    resumable.train_cfg.max_epochs = 1
    Runner.from_cfg(copy.deepcopy(resumable)).train()
    path = tmp_path / 'run/epoch_1.pth'
    checkpoint = torch.load(path)
    progress = checkpoint['meta']['progress']
    assert progress == dict(
        epoch_length=3,
        batch_size=4,
        world_size=1,
        images=12,
        data_seed=progress['data_seed'])
    # As if two processes had made the first step of the second epoch
    checkpoint['meta'].update(iter=4)
    checkpoint['meta']['progress'].update(world_size=2)
    torch.save(checkpoint, path)
    resumable.update(
        resume=True, load_from=str(path), experiment_name='resumed')
    resumable.train_dataloader.batch_size = 2
    resumable.train_cfg.max_epochs = 2
    runner = Runner.from_cfg(resumable)
    runner.logger.warning = warned = Mock()
    runner.train_loop.run = lambda: None
    runner.train()
    assert (runner.epoch, runner.iter) == (1, 6 + 4)  # 8 of 12 images
    said = warned.call_args_list[0].args[0]
    assert 'train_dataloader.batch_size: 4 -> 2' in said
    assert said.count('batch_size') == 1
    assert 'world_size: 2 -> 1' in said
    seeds = (runner.train_dataloader.sampler.seed, progress['data_seed'])
    assert seeds[0] == seeds[1] is not None


def test_checkpoints_of_others_are_resumed(resumable, tmp_path):
    """MMEngine's, without progress and with an unreadable config."""
    resumable.train_cfg.max_epochs = 1
    Runner.from_cfg(copy.deepcopy(resumable)).train()
    path = tmp_path / 'run/epoch_1.pth'
    checkpoint = torch.load(path)
    del checkpoint['meta']['progress']
    checkpoint['meta']['cfg'] = 'not a (config'
    torch.save(checkpoint, path)
    resumable.update(
        resume=True, load_from=str(path), experiment_name='resumed')
    resumable.train_cfg.max_epochs = 2
    runner = Runner.from_cfg(resumable)
    runner.train()
    assert runner.iter == 6


@pytest.mark.parametrize('known', [
    None, 3,
    dict(epoch_length=3),
    dict(epoch_length=0, batch_size=4, world_size=1, images=12),
    dict(epoch_length='3', batch_size=4, world_size=1, images=12),
    dict(epoch_length=3, batch_size=4, world_size=1, images=12, data_seed='x')
])
def test_damaged_progress_is_not_used(known):
    assert not is_progress(known)


def test_the_state_of_another_optimizer_is_refused(resumable, tmp_path):
    with pytest.raises(
            ValueError,
            match='epoch_1.pth has the state of another optimi'
            'zer: use its type, or start a new'):
        resume(
            resumable, tmp_path, **{
                'optim_wrapper.optimizer.type': 'Adam',
                'optim_wrapper.optimizer.lr': 0.1
            })


@pytest.mark.parametrize('damage, part', [
    (dict(param_schedulers=None), 'param_schedulers'),
    (dict(message_hub=3), 'message_hub'),
    (dict(meta=[]), 'meta'),
    (dict(meta=dict(epoch=1, iter='5')), 'meta.iter'),
    (dict(optimizer=None, message_hub=None), 'optimizer and no message_hub'),
])
def test_damaged_checkpoints_are_refused(damage, part):
    checkpoint = dict(
        meta=dict(epoch=1, iter=5),
        optimizer={},
        message_hub={},
        param_schedulers=[])
    runner = Mock(param_schedulers=[1], _load_from='a.pth')
    check_whole(runner, checkpoint)
    with pytest.raises(
            ValueError, match=f'from a.pth, which has no {part}: start'):
        check_whole(runner, {**checkpoint, **damage})


def test_settings_are_checked():
    with pytest.raises(ValueError, match="schedule='both' of ResumeHook has"):
        ResumeHook(schedule='both')
