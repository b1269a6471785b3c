"""``_base_ = 'mmselfsup::...'`` fails: no module named ``pkg_resources``.

MMEngine 0.10.7 locates packages with pkg_resources. setuptools >= 82 no longer
has it, older versions warn at each call, and Python >= 3.12 creates
environments without setuptools (open-mmlab/mmcv#3325 has the same cause). The
standard library does the same. MMEngine does not know onedl-mmsegmentation,
the fork that provides mmseg.
"""
import importlib.util
from importlib import metadata
from pathlib import Path

from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import package_utils

from .substitute import substitute


def patch() -> None:
    for patched in (is_installed, get_installed_path):
        original = getattr(package_utils, patched.__name__)
        if 'pkg_resources' in original.__code__.co_names:
            substitute(original, patched)
    fork = 'onedl-mmsegmentation'
    if any(metadata.distributions(name=fork)):
        MODULE2PACKAGE['mmseg'] = fork


def is_installed(package: str) -> bool:
    """Return whether a distribution or a module of this name exists."""
    if next(iter(metadata.distributions(name=package)), None):
        return True
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None


def get_installed_path(package: str) -> str:
    """Return the folder of an installed package.

    Args:
        package (str): Name of a distribution, such as mmcv-lite, or of a
            module.

    Returns:
        str: Path of the folder.

    Raises:
        PackageNotFoundError: If neither exists.
        RuntimeError: If it is a namespace package, which may have several
            folders.
    """
    module = package
    if importlib.util.find_spec(package) is None:
        top_level = metadata.distribution(package).read_text('top_level.txt')
        module = (top_level or package).split()[0]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise RuntimeError(f'{package} has no module folder')
    return str(Path(spec.origin).parent)
