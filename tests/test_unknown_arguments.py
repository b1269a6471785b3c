import pytest
from mmengine.registry import DATASETS, HOOKS, OPTIM_WRAPPERS, TRANSFORMS


@pytest.mark.parametrize('registry, cfg', [
    (DATASETS, dict(type='mmregioncl.ImageFolder', data_root='.')),
    (DATASETS, dict(type='mmregioncl.CIFAR10', data_prefix='.')),
    (DATASETS, dict(type='mmregioncl.CIFAR100', data_prefix='.')),
    (DATASETS, dict(type='mmregioncl.STL10', data_root='.')),
    (DATASETS, dict(type='mmregioncl.TinyImageNet', data_root='.')),
    (DATASETS,
     dict(
         type='mmregioncl.ImageNetSubset',
         data_root='.',
         classes='imagenet100')),
    (TRANSFORMS, dict(type='mmregioncl.LoadImage')),
    (TRANSFORMS, dict(type='mmregioncl.RegionSwap')),
    (TRANSFORMS, dict(
        type='mmregioncl.BatchViews', transforms=[], num_views=[])),
    (HOOKS, dict(type='mmregioncl.GuardHook')),
    (HOOKS, dict(type='mmregioncl.PretrainedHook')),
    (HOOKS, dict(type='mmregioncl.SemanticLocalizationHook')),
    (TRANSFORMS, dict(type='mmregioncl.ContrastiveCrop', size=32)),
    (OPTIM_WRAPPERS, dict(type='mmregioncl.AutocastOptimWrapper')),
])
def test_unknown_argument_is_named(registry, cfg):
    with pytest.raises(TypeError, match="argument 'no_such_argument'"):
        registry.build(dict(cfg, no_such_argument=1))
