import pytest
from mmengine.registry import DATASETS, HOOKS, TRANSFORMS


@pytest.mark.parametrize('registry, cfg', [
    (DATASETS, dict(type='mmregioncl.ImageFolder', data_root='.')),
    (DATASETS, dict(type='mmregioncl.CIFAR10', data_prefix='.')),
    (TRANSFORMS, dict(type='mmregioncl.LoadImage')),
    (TRANSFORMS, dict(type='mmregioncl.RegionSwap')),
    (HOOKS, dict(type='mmregioncl.GuardHook')),
])
def test_unknown_argument_is_named(registry, cfg):
    with pytest.raises(TypeError, match="argument 'no_such_argument'"):
        registry.build(dict(cfg, no_such_argument=1))
