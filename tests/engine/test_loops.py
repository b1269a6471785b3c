import copy
from itertools import repeat
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.runner import Runner

from mmregioncl.datasets import ImageFolder
from mmregioncl.engine.loops import SeededIterTrainLoop, SeededTrainLoop
from mmregioncl.models.utils import RegionSwap


class Stop(Hook):
    """Write a checkpoint after a step and end the run, as a kill would."""
    priority = 'LOWEST'

    def __init__(self, step: int) -> None:
        self.step = step

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter + 1 == self.step:
            meta = dict(epoch=runner.epoch, iter=self.step)
            runner.save_checkpoint(runner.work_dir, 'stopped.pth', meta=meta)
            raise KeyboardInterrupt


@pytest.fixture
def seeded_cfg(seeded_runner_cfg):
    """Two epochs of three steps, an update ends in the middle of each."""
    cfg = seeded_runner_cfg
    cfg.default_hooks.update(
        accumulation=dict(type='mmregioncl.AccumulationHook'),
        resume=dict(type='mmregioncl.ResumeHook'))
    cfg.optim_wrapper.optimizer.momentum = 0.9
    cfg.param_scheduler = [
        dict(type='LinearLR', by_epoch=False, end=4, start_factor=0.1),
        dict(type='CosineAnnealingLR', T_max=2, end=2)
    ]
    return cfg


@pytest.fixture
def group_by_shape(monkeypatch):
    """Let MMDetection make batches of portraits and of landscapes."""
    get_data_info = ImageFolder.get_data_info

    def get_with_sides(dataset, index: int) -> dict:
        info = get_data_info(dataset, index)
        return dict(info, width=40 + index % 2, height=41 - index % 2)

    def group(cfg) -> None:
        monkeypatch.setattr(ImageFolder, 'get_data_info', get_with_sides)
        cfg.train_dataloader.pop('drop_last')
        cfg.train_dataloader.batch_sampler = dict(
            type='mmdet.AspectRatioBatchSampler')

    return group


def run(cfg, name: str, *hooks, **settings) -> Runner:
    cfg = copy.deepcopy(cfg)
    cfg.update(experiment_name=f'{cfg.experiment_name}/{name}', **settings)
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def same_state(first: Runner, second: Runner) -> None:
    for get in (lambda runner: runner.model.state_dict(),
                lambda runner: runner.optim_wrapper.state_dict()['state'],
                lambda runner: dict(runner.message_hub.log_scalars)):
        others = get(second)
        for name, value in get(first).items():
            other = others[name]
            if torch.is_tensor(value):
                assert torch.equal(value, other), name
            elif isinstance(value, dict):
                assert torch.equal(value['momentum_buffer'],
                                   other['momentum_buffer'])
            elif not name.endswith('time'):
                assert value.data[0].tobytes() == other.data[0].tobytes()


@pytest.mark.parametrize('step, counts, on_device, grouped', [
    (3, 1, False, False),
    (5, 1, True, False),
    (2, 2, False, False),
    (5, 1, False, True),
])
def test_a_run_resumed_anywhere_is_the_uninterrupted_one(
        seeded_cfg, views_on_device, group_by_shape, device, tmp_path, step,
        counts, on_device, grouped):
    """Whether the loader makes the views or the device."""
    randomness = dict(seed=7, deterministic=device == 'cuda')
    if on_device:
        views_on_device(seeded_cfg)
    if grouped:
        group_by_shape(seeded_cfg)
    seeded_cfg.optim_wrapper.accumulative_counts = counts
    seeded_cfg.randomness = dict(randomness, seed=None)  # drawn, and resumed
    torch.manual_seed(step)
    whole = run(seeded_cfg, 'whole', randomness=randomness)
    with pytest.raises(KeyboardInterrupt):
        run(seeded_cfg, 'killed', Stop(step), randomness=randomness)
    resumed = run(
        seeded_cfg,
        'resumed',
        resume=True,
        load_from=str(tmp_path / 'run' / 'stopped.pth'))
    assert resumed.iter == 6 and resumed.epoch == 2
    same_state(whole, resumed)


@pytest.fixture
def iterations_cfg(seeded_cfg):
    """Six steps of five images out of twelve, validated after each third."""
    cfg = seeded_cfg
    cfg.train_cfg = dict(type='mmregioncl.SeededIterTrainLoop', max_iters=6)
    cfg.train_dataloader.update(
        batch_size=5, sampler=dict(type='mmregioncl.SeededInfiniteSampler'))
    cfg.param_scheduler = cfg.param_scheduler[:1]
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=-1)
    return cfg


@pytest.mark.parametrize('workers, persistent, grouped', [(0, False, False),
                                                          (2, True, False),
                                                          (2, False, True)])
def test_a_run_of_steps_resumed_anywhere_is_the_uninterrupted_one(
        iterations_cfg, group_by_shape, tmp_path, workers, persistent,
        grouped):
    """In the middle of the second pass over the data; nothing is reloaded."""
    if grouped:
        group_by_shape(iterations_cfg)
    whole = run(iterations_cfg, 'whole', randomness=dict(seed=7))
    with pytest.raises(KeyboardInterrupt):
        run(iterations_cfg, 'killed', Stop(4), randomness=dict(seed=7))
    iterations_cfg.train_dataloader.update(
        num_workers=workers, persistent_workers=persistent)
    resumed = run(
        iterations_cfg,
        'resumed',
        resume=True,
        load_from=str(tmp_path / 'run' / 'stopped.pth'))
    assert resumed.iter == 6
    same_state(whole, resumed)


def test_a_checkpoint_by_iterations_holds_the_unfinished_update(
        iterations_cfg, tmp_path):
    """Of the second update, the first of two batches."""
    iterations_cfg.optim_wrapper.accumulative_counts = 2
    iterations_cfg.default_hooks.checkpoint.interval = 3
    whole = run(iterations_cfg, 'whole', randomness=dict(seed=7))
    resumed = run(
        iterations_cfg,
        'resumed',
        resume=True,
        load_from=str(tmp_path / 'run' / 'iter_3.pth'))
    same_state(whole, resumed)


def test_a_run_of_steps_validates_once():
    """Also at a step that a run was killed right after."""
    hub = MessageHub.get_current_instance()
    loop = object.__new__(SeededIterTrainLoop)
    loop._runner = runner = Mock(message_hub=hub)
    loop.dynamic_milestones, loop.dynamic_intervals = [0], [2]
    loop.stop_training, loop._max_iters, loop.val_begin = False, 5, 1
    loop.dataloader = MagicMock()
    loop.dataloader.__iter__.side_effect = lambda: repeat(None)
    loop.dataloader_iterator = repeat(None)
    validated = []
    runner.val_loop.run = lambda: validated.append(loop.iter)

    def run_iter(batch) -> None:
        loop._iter += 1

    loop.run_iter = run_iter
    for begin, known, wanted in ((0, None, [2, 4,
                                            5]), (2, 0, [2, 4,
                                                         5]), (2, 2, [4, 5])):
        validated.clear()
        loop._iter = begin
        hub.update_info('last_validation', known)
        loop.run()
        assert validated == wanted
        assert hub.get_info('last_validation') == 5


def test_a_loop_of_steps_needs_its_sampler(iterations_cfg):
    iterations_cfg.train_dataloader.sampler.type = 'InfiniteSampler'
    with pytest.raises(
            ValueError,
            match='SeededIterTrainLoop cannot resume with this loader: set'):
        run(iterations_cfg, 'whole')


def test_draws_depend_on_the_step_alone(seeded_cfg, monkeypatch):
    """Regions and others, such as dropout, whatever is drawn between."""
    drawn, others = [], []
    call = RegionSwap.__call__

    def note(swap, views):
        composites, region = call(swap, views)
        drawn.append(region)
        return composites, region

    monkeypatch.setattr(RegionSwap, '__call__', note)

    class Note(Hook):

        def before_train_iter(self, runner, *args, **kwargs) -> None:
            others.append((torch.rand(()).item(), np.random.rand()))

    seeded_cfg.randomness = dict(seed=0)
    run(seeded_cfg, 'first', Note())

    class Draw(Hook):

        def after_train_iter(self, runner, *args, **kwargs) -> None:
            torch.rand(3)

    run(seeded_cfg, 'second', Note(), Draw())
    assert drawn[:6] == drawn[6:]
    assert others[:6] == others[6:] and len(set(others)) == 6
    assert len(set(drawn[:6])) > 2


def test_other_samplers_cannot_begin_in_the_middle(seeded_cfg, tmp_path):
    seeded_cfg.train_dataloader.sampler = dict(
        type='DefaultSampler', shuffle=True)
    with pytest.raises(KeyboardInterrupt):
        run(seeded_cfg, 'killed', Stop(4))
    with pytest.raises(
            ValueError,
            match='in the middle of epoch 2 with this loader: set train_'
            'dataloader.sampler.type to mmregioncl.SeededSampler, with a'):
        run(seeded_cfg,
            'resumed',
            resume=True,
            load_from=str(tmp_path / 'run' / 'stopped.pth'))


def test_a_step_of_another_epoch_is_refused():
    """The data or the batch size have changed, and no ResumeHook counts."""
    loop = Mock(begins_anywhere=True, iter=7, epoch=1, dataloader=range(3))
    with pytest.raises(
            ValueError, match='of step 7, which is not in epoch 2 '):
        SeededTrainLoop.skip(loop, 4)


def test_epochs_have_as_many_batches_as_they_say(seeded_cfg, group_by_shape):
    """AspectRatioBatchSampler drops a whole last batch, of both groups."""
    group_by_shape(seeded_cfg)
    seeded_cfg.train_dataloader.batch_sampler.drop_last = True
    with pytest.raises(
            ValueError, match='epoch 1 had 2 batches instead of the 3 tha'):
        run(seeded_cfg, 'whole')


def test_each_epoch_is_validated_once():
    """Also one that a run was killed before or in the middle of."""
    hub = MessageHub.get_current_instance()
    loop = object.__new__(SeededTrainLoop)
    loop._runner = runner = Mock(message_hub=hub)
    loop.dynamic_milestones, loop.dynamic_intervals = [0], [2]
    loop.stop_training = False
    loop._max_epochs, loop.val_begin, loop.val_interval = 4, 1, 2
    validated = []
    runner.val_loop.run = lambda: validated.append(loop.epoch)

    def run_epoch() -> None:
        loop._epoch += 1

    loop.run_epoch = run_epoch
    loop._epoch = 0
    loop.run()
    assert validated == [2, 4]
    for epoch, known, wanted in ((2, 0, [2, 4]), (2, 2, [4]), (3, 2, [4]),
                                 (4, 2, [4]), (4, 4, [])):
        validated.clear()
        loop._epoch = epoch
        hub.update_info('last_validation', known)
        loop.run()
        assert validated == wanted
        assert hub.get_info('last_validation') == 4
    assert runner.logger.warning.call_args.args[0].startswith(
        'training is already complete at epoch 4: raise')
    validated.clear()
    del hub.runtime_info['last_validation']  # of MMEngine
    loop._epoch = 2
    loop.run()
    assert validated == [4]
