import importlib

import mmcv.transforms
import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, TRANSFORMS, DefaultScope

from mmregioncl.datasets.transforms import FAST, steps_of

REGISTRY = pytest.importorskip(
    'mmselfsup.registry', reason='needs MMSelfSup', exc_type=ImportError)
BASE = 'mmselfsup::selfsup/mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k.py'


@pytest.fixture
def own_tables(monkeypatch):
    """Registries of mmselfsup that are what they were afterwards."""
    for name in ('TRANSFORMS', 'MODELS'):
        registry = getattr(REGISTRY, name)
        registry.import_from_location()
        monkeypatch.setattr(registry, '_module_dict',
                            dict(registry._module_dict))


def test_a_config_of_mmselfsup_draws_views_fast(tmp_path, own_tables):
    """One line of a config is enough, under MMEngine's own Runner."""
    path = tmp_path / 'config.py'
    path.write_text(f'_base_ = {BASE!r}\n'
                    "custom_imports = dict(imports=['mmregioncl."
                    "fast_transforms'])")
    cfg = Config.fromfile(path)
    import mmregioncl.fast_transforms
    importlib.reload(
        mmregioncl.fast_transforms)  # another test may have had it
    pipeline = TRANSFORMS.build(
        dict(type='Compose', transforms=cfg.train_dataloader.dataset.pipeline))
    mine = {
        type(step).__name__
        for step in steps_of(pipeline)
        if type(step).__module__.startswith('mmregioncl.')
    }
    assert mine == {*FAST} - {'RandomSolarize'}
    preprocessor = MODELS.build(
        dict(type='SelfSupDataPreprocessor', **cfg.model.data_preprocessor))
    assert type(preprocessor).__module__.startswith('mmregioncl.')


def test_without_the_line_nothing_changes():
    from mmselfsup.datasets.transforms import ColorJitter
    with DefaultScope.overwrite_default_scope('mmselfsup'):
        assert type(TRANSFORMS.build(dict(type='ColorJitter'))) is ColorJitter


def test_classes_of_a_user_stay(own_tables):
    """A class that was registered under a name before is not replaced."""

    class Mine(mmcv.transforms.BaseTransform):

        def transform(self, results):
            return results

    registry = REGISTRY.TRANSFORMS
    registry.register_module('ColorJitter', force=True, module=Mine)
    import mmregioncl.fast_transforms
    importlib.reload(mmregioncl.fast_transforms)
    assert registry.get('ColorJitter') is Mine


def test_other_packages_keep_their_transforms(own_tables):
    """The replacements are in mmselfsup's registry only."""
    import mmregioncl.fast_transforms
    importlib.reload(mmregioncl.fast_transforms)
    for name in ('RandomFlip', 'RandomGrayscale'):
        assert TRANSFORMS.get(f'mmcv.{name}').__module__.startswith('mmcv.')
        with DefaultScope.overwrite_default_scope('mmdet'):
            found = TRANSFORMS.build(dict(type=name, prob=0.5))
        assert not type(found).__module__.startswith('mmregioncl.')
