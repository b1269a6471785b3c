"""``import mmselfsup.models`` imports all of MMDetection, which takes 3 s.

``mmselfsup.models.utils`` imports ``res_layer_extra_norm``, a layer of C4
detectors, whether or not a detector is built. With this patch the import is
skipped, as it is upstream when MMDetection is not installed. Configs that need
the layer still import it by ``custom_imports``, as upstream's do.
"""
import sys
from importlib.abc import MetaPathFinder

PACKAGE = 'mmselfsup.models.utils'
LAYER = f'{PACKAGE}.res_layer_extra_norm'


class SkipDuringPackageImport(MetaPathFinder):
    """Refuse to import the layer while its package is being imported."""

    def find_spec(self, fullname: str, path, target=None) -> None:
        package = sys.modules.get(PACKAGE)
        if fullname == LAYER and getattr(package.__spec__, '_initializing',
                                         False):
            raise ImportError(f'{LAYER} is imported when a config asks for it')


def patch() -> None:
    if PACKAGE not in sys.modules and not any(
            isinstance(finder, SkipDuringPackageImport)
            for finder in sys.meta_path):
        sys.meta_path.insert(0, SkipDuringPackageImport())
