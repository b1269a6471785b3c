from pathlib import Path

import pytest

from mmregioncl.engine.config import load_config

CONFIG = (
    Path(__file__).parents[2] / 'configs/regioncl' /
    'regioncl-m_resnet18_1xb512-coslr-200e_cifar10.py')


def test_settings_are_overridden():
    cfg = load_config(CONFIG, {'model.queue_len': 64, 'randomness.seed': 1})
    assert cfg.model.queue_len == 64
    assert cfg.randomness.seed == 1  # known to the Runner, not in the config


def test_unknown_setting_is_refused():
    with pytest.raises(ValueError, match='did you mean train_dataloader?'):
        load_config(CONFIG, {'train_dataloder.batch_size': 4})


def test_what_runner_reads_besides_its_arguments_is_known():
    assert load_config(CONFIG, {'sync_bn': 'torch'}).sync_bn == 'torch'


def test_setting_without_effect_is_refused():
    """A helper of the file, which was put where it is used already."""
    with pytest.raises(ValueError, match='train_dataloader.dataset.data_root'):
        load_config(CONFIG, {'data_root': '/images'})
