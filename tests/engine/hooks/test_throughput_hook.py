import json
import time
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner

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
    return lines, [text for text in warnings if 'was waited for' in text]


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
    """By the clock of the loader, from what it is asked to what it gives."""
    HOOKS.register_module('Slow', module=Slow, force=True)
    runner_cfg.custom_hooks = [dict(type='mmregioncl.Slow')]
    runner_cfg.train_cfg.max_epochs = 4
    lines, warnings = train(runner_cfg, monkeypatch, most_wait=0.5)
    assert lines[-1]['data_time'] > 0.1 and not warnings
    assert lines[-1]['data_wait'] < 0.3


def test_a_slow_disk_is_named_once(runner_cfg, monkeypatch):
    runner_cfg.fast_transforms = True
    pipeline = runner_cfg.train_dataloader.dataset.pipeline
    pipeline.insert(1, dict(type='mmregioncl.Wait'))
    lines, warnings = train(runner_cfg, monkeypatch)
    assert len(warnings) == 1
    assert 'raise train_dataloader.num_workers, 1 now' in warnings[0]
    assert 'fast_transforms' not in warnings[0]
    assert lines[-1]['data_wait'] > 0.1


def test_slow_transforms_are_named(runner_cfg, monkeypatch):
    runner_cfg.fast_transforms = False
    runner_cfg.train_dataloader.dataset.pipeline.insert(
        1, dict(type='mmregioncl.Wait'))
    warnings = train(runner_cfg, monkeypatch)[1]
    assert 'set fast_transforms=True, or raise' in warnings[0]


@pytest.mark.parametrize('settings', [
    dict(most_wait=-0.1),
    dict(most_wait=2),
    dict(first_steps=0),
])
def test_settings_make_sense(settings):
    with pytest.raises(ValueError, match='takes a share in'):
        HOOKS.build(dict(type='mmregioncl.ThroughputHook', **settings))
