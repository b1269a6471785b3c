"""Registries of mmregioncl, children of MMEngine's of the same names.

Configs name a type as ``mmregioncl.X``. The prefix imports the module that
registers it, so that no ``custom_imports`` is needed.
"""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

MODELS = Registry(
    'model', parent=MMENGINE_MODELS, locations=['mmregioncl.models'])
DATASETS = Registry(
    'dataset', parent=MMENGINE_DATASETS, locations=['mmregioncl.datasets'])
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    locations=['mmregioncl.datasets.transforms', 'mmregioncl.models.utils'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, locations=['mmregioncl.hooks'])
OPTIM_WRAPPERS = Registry(
    'optimizer wrapper',
    parent=MMENGINE_OPTIM_WRAPPERS,
    locations=['mmregioncl.engine.optimizers'])
