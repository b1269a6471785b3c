"""``import mmselfsup.models`` imports packages that few configs need.

All of MMDetection, in 2 s, for ``res_layer_extra_norm``, a layer of C4
detectors, whether or not a detector is built; ``import mmpretrain.models``
does the same. With this patch both find no such layer at first, as upstream
when MMDetection is not installed. Configs that need it import it by
``custom_imports``, as upstream's do.

And scikit-learn, which takes 1.5 s, for the memory of ODC. With this patch it
is imported when ODC clusters.
"""
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Optional

from mmregioncl import host

LAYER = f'{host.NAME}.models.utils.res_layer_extra_norm'
# The package during whose import a module is left out
LEFT_OUT = {
    LAYER: f'{host.NAME}.models.utils',
    'sklearn': 'mmselfsup.models.memories',
    'sklearn.cluster': 'mmselfsup.models.memories',
}


class StandIns(MetaPathFinder, Loader):
    """Replace slow modules by stand-ins while packages are imported."""

    def find_spec(self,
                  fullname: str,
                  path,
                  target=None) -> Optional[ModuleSpec]:
        package = sys.modules.get(LEFT_OUT.get(fullname, ''))
        if not getattr(
                getattr(package, '__spec__', None), '_initializing', False):
            return None
        if fullname == 'sklearn.cluster' and \
                sys.modules['sklearn'].__spec__.loader is not self:
            return None  # scikit-learn has been imported already
        return ModuleSpec(fullname, self, is_package='.' not in fullname)

    def exec_module(self, module: ModuleType) -> None:
        module.__getattr__ = give_and_forget


def give_and_forget(name: str):
    """What the package uses of a stand-in, which is then discarded.

    The next import is a real one.
    """
    if name == 'ResLayerExtraNorm':
        sys.modules.pop(LAYER, None)
        return None
    if name == 'KMeans':
        for module in ('sklearn', 'sklearn.cluster'):
            sys.modules.pop(module, None)
        return lazy_k_means
    raise AttributeError(name)


def lazy_k_means(*args, **kwargs):
    """Build scikit-learn's ``KMeans``."""
    from sklearn.cluster import KMeans
    return KMeans(*args, **kwargs)


def patch() -> None:
    if not any(isinstance(finder, StandIns) for finder in sys.meta_path):
        sys.meta_path.insert(0, StandIns())
