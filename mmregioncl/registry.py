"""Registries of mmregioncl, children of MMEngine's of the same names.

Configs name a type as ``mmregioncl.X``. The prefix imports the module that
registers it, so that no ``custom_imports`` is needed. In configs with
``default_scope='mmregioncl'``, as those of this package, names without a
prefix are this package's, the host's or MMEngine's, whichever comes first;
from other scopes, ``mmregioncl.X`` finds the same.
"""
from importlib import import_module
from typing import Optional, Type

from mmengine.registry import Registry, root

from mmregioncl import host

# Classes that MMPretrain has under another name than mmcls
RENAMED = dict(PackClsInputs='PackInputs', ClsVisualizer='UniversalVisualizer')


class HostRegistry(Registry):
    """Looks up other names in the host's registry, then in the parent's.

    So a config does not depend on the host.
    """

    def get(self, key: str) -> Optional[Type]:
        """The class of this name, None if there is none."""
        self.import_from_location()
        key = key.removeprefix(f'{self.scope}.')
        if '.' not in key and key not in self.module_dict:
            if host.NAME == 'mmpretrain':
                key = RENAMED.get(key, key)
            for scope in host.SCOPES[host.NAME]:
                import_module(f'{scope}.registry')
                registry = self.parent.children.get(scope)
                if registry is not None:
                    registry.import_from_location()
                    if key in registry.module_dict:
                        return registry.module_dict[key]
        return super().get(key)


def child(parent: Registry, *locations: str) -> Registry:
    """Make the registry of this package below one of MMEngine's.

    Args:
        parent (Registry): MMEngine's registry.
        *locations (str): Modules that register classes of this package.
    """
    return HostRegistry(
        parent.name,
        parent=parent,
        scope='mmregioncl',
        locations=list(locations))


MODELS = child(root.MODELS, 'mmregioncl.models')
DATASETS = child(root.DATASETS, 'mmregioncl.datasets')
DATA_SAMPLERS = child(root.DATA_SAMPLERS, 'mmregioncl.datasets')
TRANSFORMS = child(root.TRANSFORMS, 'mmregioncl.datasets.transforms',
                   'mmregioncl.models.utils')
HOOKS = child(root.HOOKS, 'mmregioncl.hooks')
LOOPS = child(root.LOOPS, 'mmregioncl.engine.loops')
VISBACKENDS = child(root.VISBACKENDS, 'mmregioncl.engine.vis_backend')
OPTIM_WRAPPERS = child(root.OPTIM_WRAPPERS, 'mmregioncl.engine.optimizers')
# This package has none of the others, but the host may.
OTHERS = [
    child(parent) for parent in vars(root).values()
    if isinstance(parent, Registry) and 'mmregioncl' not in parent.children
]
