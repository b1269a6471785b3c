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


@pytest.mark.parametrize('key', ['param_scheduler.T_max', 'model.a.b'])
def test_entries_of_lists_are_counted(key, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('model = dict(a=[dict(b=1)])\n'
                    'param_scheduler = [dict(T_max=9)]')
    name = key.rpartition('.')[0]
    with pytest.raises(ValueError, match=f'as in {name}.0$'):
        load_config(path, {key: 5})
    cfg = load_config(path, {'param_scheduler.0.T_max': 5, 'model.a.0.b': 2})
    assert cfg.param_scheduler[0].T_max == 5
    assert cfg.model.a[0].b == 2
