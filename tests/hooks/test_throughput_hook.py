import json
from pathlib import Path
from unittest.mock import Mock

import pytest
from mmengine.hooks import Hook, iter_timer_hook
from mmengine.registry import DATA_SAMPLERS, LOOPS
from mmengine.runner import Runner, ValLoop
from torch.utils.data import BatchSampler

from mmregioncl.hooks import ThroughputHook, throughput_hook
from mmregioncl.registry import HOOKS, TRANSFORMS


class Clock:
    """Seconds that pass only where a test says so."""
    now = 0.

    def time(self) -> float:
        return self.now


CLOCK = Clock()


@TRANSFORMS.register_module()
class Wait:
    """A slow disk: 0.1 s for an image."""

    def __call__(self, results):
        CLOCK.now += 0.1
        return results


@HOOKS.register_module()
class Slow(Hook):
    """A look or a checkpoint of 0.6 s, behind the timer."""
    priority = 'VERY_LOW'

    def after_train_iter(self, *args, **kwargs) -> None:
        CLOCK.now += 0.6


@LOOPS.register_module()
class Look(ValLoop):
    """Validation of 0.6 s for each batch."""

    def run_iter(self, idx, data_batch) -> None:
        CLOCK.now += 0.6


@pytest.fixture(autouse=True)
def fake_time(monkeypatch):
    for module in (iter_timer_hook, throughput_hook):
        monkeypatch.setattr(module, 'time', CLOCK)


def train(cfg, monkeypatch, **settings):
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
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
    """A hook behind the timer is no wait, though MMEngine counts it."""
    runner_cfg.custom_hooks = [dict(type='mmregioncl.Slow')]
    runner_cfg.train_dataloader.dataset.pipeline.insert(
        1, dict(type='mmregioncl.Wait'))
    lines, warnings = train(runner_cfg, monkeypatch, most_wait=1.)
    assert not warnings
    spent, waited = 0., 0.
    for step, line in enumerate(lines):
        # The first step of an epoch follows no hook.
        spent, waited = spent + 0.4 + 0.6 * (step % 3 > 0), waited + 0.4
        assert line['images_per_second'] == pytest.approx(4 * (step + 1) /
                                                          spent)
        assert line['data_wait'] == pytest.approx(waited / spent)
    assert len(lines) == 6 and lines[-1]['data_time'] > 0.4


@pytest.mark.parametrize('workers, advised', [(3, True), (4, False)])
def test_more_workers_than_cores_are_not_advised(workers, advised,
                                                 monkeypatch):
    monkeypatch.setattr(throughput_hook, 'cores_per_process', lambda: 4)
    runner = Mock()
    runner.train_dataloader = Mock(num_workers=workers, dataset=None)
    hook = ThroughputHook(first_steps=1)
    hook.last.append((1., 2., 4))
    for _ in range(2):
        hook.judge(runner)
    text = runner.logger.warning.call_args[0][0]
    assert text.startswith('waiting for data took 50% of the first 1 steps: ')
    assert ('raise train_dataloader.num_workers, 3 now on 4 processor cores '
            'per process' in text) == advised


def test_a_slow_disk_is_named_once(runner_cfg, monkeypatch):
    pipeline = runner_cfg.train_dataloader.dataset.pipeline
    views, pack = pipeline[1:]
    for step in (views, views.transforms[0][0], pack):
        step.type = f'mmregioncl.{step.type}'
    pipeline.insert(1, dict(type='mmregioncl.Wait'))
    lines, warnings = train(runner_cfg, monkeypatch)
    assert len(warnings) == 1
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
    runner_cfg.train_cfg = dict(
        type='IterBasedTrainLoop', max_iters=3, val_interval=1)
    runner_cfg.update(
        val_dataloader=runner_cfg.train_dataloader,
        val_cfg=dict(type='Look'),
        val_evaluator=[])
    runner_cfg.default_hooks.checkpoint.by_epoch = False
    lines, warnings = train(runner_cfg, monkeypatch, most_wait=0.5)
    waits = [line['data_wait'] for line in lines if 'data_wait' in line]
    assert waits == [0] * 3 and not warnings


def test_images_are_counted(runner_cfg, monkeypatch):
    """Batches differ in size, or come from a batch sampler."""
    DATA_SAMPLERS.register_module(module=BatchSampler, force=True)
    loader = runner_cfg.train_dataloader
    del loader['batch_size'], loader['drop_last']
    loader.batch_sampler = dict(
        type='BatchSampler', batch_size=8, drop_last=False)
    loader.dataset.pipeline.insert(1, dict(type='mmregioncl.Wait'))
    lines, _ = train(runner_cfg, monkeypatch)
    assert len(lines) == 4  # of 8 and 4 images
    assert lines[-1]['images_per_second'] == pytest.approx(10)


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
    with pytest.raises(ValueError, match='needs a share in'):
        HOOKS.build(dict(type='mmregioncl.ThroughputHook', **settings))
