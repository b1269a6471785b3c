"""``import mmselfsup.models`` imports all of MMDetection, which takes 2 s.

So does ``import mmpretrain.models``. Both have ``res_layer_extra_norm``, a
layer of C4 detectors, and import it whether or not a detector is built. With
this patch they find no such layer at first, as upstream when MMDetection is
not installed. Configs that need it import it by ``custom_imports``, as
upstream's do.
"""
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Optional

from mmregioncl import host

PACKAGE = f'{host.NAME}.models.utils'
LAYER = f'{PACKAGE}.res_layer_extra_norm'


class SkipDuringPackageImport(MetaPathFinder, Loader):
    """Give its package no layer while the package is being imported."""

    def find_spec(self,
                  fullname: str,
                  path,
                  target=None) -> Optional[ModuleSpec]:
        spec = getattr(sys.modules.get(PACKAGE), '__spec__', None)
        if fullname == LAYER and getattr(spec, '_initializing', False):
            return ModuleSpec(LAYER, self)
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__getattr__ = forget_layer


def forget_layer(name: str) -> None:
    """Give None for the layer, and forget this stand-in.

    The next import is a real one.
    """
    if name != 'ResLayerExtraNorm':
        raise AttributeError(name)
    sys.modules.pop(LAYER, None)


def patch() -> None:
    if PACKAGE not in sys.modules and not any(
            isinstance(finder, SkipDuringPackageImport)
            for finder in sys.meta_path):
        sys.meta_path.insert(0, SkipDuringPackageImport())
