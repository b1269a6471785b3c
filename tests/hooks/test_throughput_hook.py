import json
import os
import time
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS, LOOPS
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import BatchSampler

from mmregioncl.hooks import ThroughputHook
from mmregioncl.hooks.throughput_hook import Mark
from mmregioncl.registry import HOOKS, TRANSFORMS


@TRANSFORMS.register_module()
class Wait:
    """A slow disk."""

    def __call__(self, results):
        time.sleep(0.05)
        return results


def train(cfg, monkeypatch, **settings):
    cfg.default_hooks.timer = dict(
        dict(type='mmregioncl.ThroughputHook', first_steps=3), **settings)
    cfg.default_hooks.logger = dict(type='LoggerHook', interval=1)
    warnings = []
    runner = Runner.from_cfg(cfg)
    monkeypatch.setattr(runner.logger, 'warning', warnings.append)
    runner.train()
    scalars, = Path(cfg.work_dir).rglob('scalars.json')
    lines = [json.loads(line) for line in scalars.read_text().splitlines()]
    return lines, [
        text for text in warnings if 'waiting for data took' in text
    ]


def test_images_and_waits_are_logged(runner_cfg, monkeypatch):
    lines, warnings = train(runner_cfg, monkeypatch, most_wait=1.)
    assert len(lines) == 6 and not warnings
    for line in lines:  # time is a mean over as many steps
        assert line['images_per_second'] == pytest.approx(
            4 / line['time'], rel=0.05)
        assert 0 < line['data_wait'] < 1


class Slow(Hook):
    """A look or a checkpoint, behind the timer."""
    priority = 'VERY_LOW'

    def after_train_iter(self, *args, **kwargs) -> None:
        time.sleep(0.2)


def test_slow_hooks_are_no_waits(runner_cfg, monkeypatch):
    """The loader's own clock measures the wait for each batch."""
    HOOKS.register_module('Slow', module=Slow, force=True)
    runner_cfg.custom_hooks = [dict(type='mmregioncl.Slow')]
    runner_cfg.train_cfg.max_epochs = 4
    lines, warnings = train(runner_cfg, monkeypatch, most_wait=0.5)
    assert lines[-1]['data_time'] > 0.1 and not warnings
    assert lines[-1]['data_wait'] < 0.3


def test_a_slow_disk_is_named_once(runner_cfg, monkeypatch):
    pipeline = runner_cfg.train_dataloader.dataset.pipeline
    views, pack = pipeline[1:]
    for step in (views, views.transforms[0][0], pack):
        step.type = f'mmregioncl.{step.type}'
    pipeline.insert(1, dict(type='mmregioncl.Wait'))
    lines, warnings = train(runner_cfg, monkeypatch)
    assert len(warnings) == 1
    assert ('raise train_dataloader.num_workers, 1 now' in warnings[0]) == (
        os.cpu_count() > 1)
    assert 'fast_transforms' not in warnings[0]
    assert lines[-1]['data_wait'] > 0.1


@pytest.mark.mmselfsup  # which alone has slower ones
def test_slow_transforms_are_named(runner_cfg, monkeypatch):
    runner_cfg.train_dataloader.dataset.pipeline.insert(
        1, dict(type='mmregioncl.Wait'))
    views = runner_cfg.train_dataloader.dataset.pipeline[2]
    views.type = 'mmselfsup.MultiView'
    warnings = train(runner_cfg, monkeypatch)[1]
    assert 'add mmregioncl.fast_transforms to the' in warnings[0]


def test_validation_is_no_wait(runner_cfg, monkeypatch):
    """Between two steps of a loop by iterations."""

    class Look(IterBasedTrainLoop):

        def run_iter(self, data_batch):
            super().run_iter(data_batch)
            time.sleep(0.4)
            for hook in self.runner.hooks:  # as a loop with validation
                if isinstance(hook, Mark):
                    hook.after_val_epoch(self.runner, metrics=None)

    LOOPS.register_module('Look', module=Look, force=True)
    runner_cfg.train_cfg = dict(type='Look', max_iters=3)
    runner_cfg.default_hooks.checkpoint.by_epoch = False
    lines, warnings = train(runner_cfg, monkeypatch, most_wait=0.5)
    assert lines[-1]['time'] > 0.2 and not warnings
    assert lines[-1]['data_wait'] < 0.3


def test_images_are_counted(runner_cfg, monkeypatch):
    """Batches differ in size, or come from a batch sampler."""
    DATA_SAMPLERS.register_module(module=BatchSampler, force=True)
    loader = runner_cfg.train_dataloader
    del loader['batch_size'], loader['drop_last']
    loader.batch_sampler = dict(
        type='BatchSampler', batch_size=8, drop_last=False)
    lines, _ = train(runner_cfg, monkeypatch)
    assert len(lines) == 4  # of 8 and 4 images
    assert lines[-1]['images_per_second'] == pytest.approx(
        6 / lines[-1]['time'], rel=0.05)


def test_resumed_run_knows_its_eta(runner_cfg, monkeypatch):
    """Averages begin where the run was resumed, as in MMEngine's timer."""
    train(runner_cfg, monkeypatch)
    runner_cfg.update(
        resume=True, load_from=f'{runner_cfg.work_dir}/epoch_1.pth')
    runner_cfg.default_hooks.timer = dict(type='mmregioncl.ThroughputHook')
    runner = Runner.from_cfg(runner_cfg)
    runner.train()
    timer, = (
        hook for hook in runner.hooks if isinstance(hook, ThroughputHook))
    assert timer.start_iter == 3


@pytest.mark.parametrize('settings', [
    dict(most_wait=-0.1),
    dict(most_wait=2),
    dict(first_steps=0),
])
def test_invalid_settings_are_refused(settings):
    with pytest.raises(ValueError, match='takes a share in'):
        HOOKS.build(dict(type='mmregioncl.ThroughputHook', **settings))
