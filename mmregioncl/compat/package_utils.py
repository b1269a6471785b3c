"""``_base_ = 'mmselfsup::...'`` dies: no module ``pkg_resources``.

MMEngine 0.10.7 asks pkg_resources where a package lies; setuptools >= 82 no
longer has it, older ones warn at each call, and Python >= 3.12 makes
environments without setuptools (open-mmlab/mmcv#3325 is the same cause). The
standard library knows as well.
"""
import importlib.util
from importlib import metadata
from pathlib import Path

from mmengine.utils import package_utils

from .substitute import substitute


def mend() -> None:
    for mended in (is_installed, get_installed_path):
        original = getattr(package_utils, mended.__name__)
        if 'pkg_resources' in original.__code__.co_names:
            substitute(original, mended)


def is_installed(package: str) -> bool:
    """Whether there is a distribution or a module of that name."""
    if next(iter(metadata.distributions(name=package)), None):
        return True
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None


def get_installed_path(package: str) -> str:
    """Folder of an installed package.

    Args:
        package (str): Name of the distribution, such as mmcv-lite, or of the
            module.

    Raises:
        PackageNotFoundError: If there is neither.
        RuntimeError: If it is a namespace package, which has no one folder.
    """
    module = package
    if importlib.util.find_spec(package) is None:
        top_level = metadata.distribution(package).read_text('top_level.txt')
        module = (top_level or package).split()[0]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise RuntimeError(f'{package} has no module folder')
    return str(Path(spec.origin).parent)
