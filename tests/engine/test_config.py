from pathlib import Path

import pytest
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.runner import Runner
from mmselfsup.datasets.transforms import MultiView, PackSelfSupInputs

from mmregioncl.engine.config import (check_data, checkpoint_name, load_config,
                                      set_pretrained, typed_dicts)

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


def test_any_mmselfsup_config_draws_views_fast(tmp_path):
    base = 'mmselfsup::selfsup/mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k.py'
    path = tmp_path / 'config.py'
    path.write_text(f'_base_ = {base!r}\nfast_transforms = True')
    cfg = load_config(path)
    _, views, pack = cfg.train_dataloader.dataset.pipeline
    assert views.type == 'mmregioncl.MultiView'
    assert views.transforms[0][1].type == 'RandomApply'
    assert views.transforms[0][1].transforms[0].type == \
        'mmregioncl.ColorJitter'
    assert pack.meta_keys == ['img_path']  # as it asks for them
    # The same again, as of a config that a run has dumped
    cfg.dump(tmp_path / 'dumped.py')
    assert load_config(tmp_path / 'dumped.py').train_dataloader == \
        cfg.train_dataloader
    slow = load_config(path, dict(fast_transforms=False))
    again = load_config(tmp_path / 'dumped.py', dict(fast_transforms=False))
    for slow in (slow, again):
        pipeline = slow.train_dataloader.dataset.pipeline
        assert not any('mmregioncl' in place['type']
                       for place in typed_dicts(pipeline))
        _, views, pack = Compose(pipeline).transforms
        assert type(views) is MultiView and type(pack) is PackSelfSupInputs


def test_transforms_of_other_packages_stay(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("""fast_transforms = True
default_scope = 'mmdet'
model = dict(type='MaskRCNN')
train_dataloader = dict(dataset=dict(pipeline=[dict(type='RandomFlip')]))""")
    pipeline = load_config(path).train_dataloader.dataset.pipeline
    assert pipeline[0].type == 'RandomFlip'


@pytest.mark.parametrize('fast', [True, False])
def test_models_of_other_packages_stay(fast, tmp_path):
    """And what is named in full is changed in any scope."""
    names = {True: 'mmselfsup.ColorJitter', False: 'mmregioncl.ColorJitter'}
    path = tmp_path / 'config.py'
    path.write_text(f"""fast_transforms = {fast}
default_scope = 'mmcls'
model = dict(type='ImageClassifier', data_preprocessor=dict(num_classes=2))
train_dataloader = dict(dataset=dict(pipeline=[
    dict(type='RandomResizedCrop'), dict(type='{names[fast]}')]))""")
    cfg = load_config(path)
    assert 'type' not in cfg.model.data_preprocessor
    crop, jitter = cfg.train_dataloader.dataset.pipeline
    assert crop.type == 'RandomResizedCrop'
    assert jitter.type == names[not fast]


@pytest.mark.parametrize('options, words', [
    ({
        'fast_transforms': 'off'
    }, "'off' has to be True or False"),
    ({
        'default_hooks.liner': None
    }, 'there is no hook liner to leave out'),
])
def test_settings_that_would_do_nothing(options, words):
    with pytest.raises(ValueError, match=words):
        load_config(CONFIG, options)


def test_settings_of_hooks_may_be_none():
    cfg = load_config(CONFIG,
                      {'default_hooks.checkpoint.max_keep_ckpts': None})
    assert cfg.default_hooks.checkpoint.max_keep_ckpts is None


def test_no_hooks_at_all():
    assert load_config(CONFIG, {'default_hooks': None}).default_hooks is None


def test_hooks_are_left_out_by_none(tmp_path):
    """Ours and MMEngine's, of which it has defaults."""
    none = ['linear', 'checkpoint', 'timer']
    cfg = load_config(CONFIG, {f'default_hooks.{name}': None for name in none})
    for name in ('knn', 'health'):  # with data, which lie elsewhere
        assert cfg.default_hooks.pop(name)
    cfg.work_dir = str(tmp_path)
    hooks = {type(hook).__name__ for hook in Runner.from_cfg(cfg).hooks}
    assert 'GuardHook' in hooks
    assert not {
        'OnlineLinearProbeHook', 'CheckpointHook', 'ThroughputHook',
        'IterTimerHook'
    } & hooks


@pytest.mark.parametrize('text, words', [
    ('a = = 3', 'is no Python'),
    ('a = 3', 'has no model'),
])
def test_no_config_of_a_run(text, words, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        load_config(path)


@pytest.fixture
def data_cfg(tmp_path):
    (tmp_path / 'train.json').touch()
    (tmp_path / 'images').mkdir()
    dataset = dict(
        data_root=str(tmp_path),
        ann_file='train.json',
        data_prefix=dict(img='images/'))
    return Config(
        dict(
            train_dataloader=dict(
                dataset=dict(dataset=dict(datasets=[dataset, dataset]))),
            val_dataloader=None,
            test_dataloader=dict(dataset=dict(data_root='/nowhere'))))


def test_data_that_is_there(data_cfg):
    """What is not read in a run is not looked for."""
    check_data(data_cfg, 'train_dataloader', 'val_dataloader')
    data_cfg.val_dataloader = dict(
        dataset=dict(data_root='s3://bucket/coco', ann_file='a.json'))
    check_data(data_cfg, 'val_dataloader')


@pytest.mark.parametrize('change, what', [
    (dict(data_root='/no/coco'), '/no/coco'),
    (dict(ann_file='val.json'), '.*/val.json'),
    (dict(data_prefix=dict(img='val/')), '.*/val/'),
    (dict(data_prefix='/no/cifar'), '/no/cifar'),
])
def test_missing_data_is_named_with_what_to_set(data_cfg, change, what):
    data_cfg.train_dataloader.dataset.dataset.datasets[1].update(change)
    place = 'train_dataloader.dataset.dataset.datasets.1'
    with pytest.raises(
            FileNotFoundError,
            match=f'^{place} reads {what}, which is not there: link the data '
            f'there, or set {place}.data_root$'):
        check_data(data_cfg, 'train_dataloader')


def test_checkpoint_to_fine_tune():
    cfg = Config(dict(default_hooks=dict(pretrained=dict())))
    set_pretrained(cfg, 'epoch_3.pth')
    assert cfg.default_hooks.pretrained.checkpoint == 'epoch_3.pth'
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
