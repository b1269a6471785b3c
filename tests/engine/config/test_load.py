import pytest
from mmengine.config import Config, config
from mmengine.runner import Runner
from yapf.yapflib.yapf_api import FormatCode

from mmregioncl.engine.config import (checkpoint_name, enable_scaled_lr,
                                      load_config, set_pretrained)
from toy import CONFIG


def test_settings_are_overridden():
    cfg = load_config(CONFIG, {'model.queue_len': 64, 'randomness.seed': 1})
    assert cfg.model.queue_len == 64
    assert cfg.randomness.seed == 1  # known to the Runner, not in the config


def test_learning_rates_are_scaled_from_a_batch_that_is_known():
    cfg = load_config(CONFIG, {'auto_scale_lr.base_batch_size': 512})
    assert 'enable' not in cfg.auto_scale_lr
    enable_scaled_lr(cfg)
    assert cfg.auto_scale_lr.enable
    with pytest.raises(ValueError, match='not state the batch size of its'):
        enable_scaled_lr(load_config(CONFIG))


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
