"""Region-level contrastive pre-training for OpenMMLab."""

from importlib import metadata

from packaging.version import Version

from . import host
from .version import __version__

# Distributions that provide a package: the first version that is supported,
# and the first that is not.
TORCH = {'torch': ('2.6', '3')}
MMENGINE = {
    'mmengine': ('0.10.7', '0.11'),
    'onedl-mmengine': ('0.10.12', '0.11')
}
MMCV_OF_2023 = {  # what mmselfsup 1.0.0 accepts
    'mmcv-lite': ('2.0.1', '2.1'),
    'mmcv': ('2.0.1', '2.1')
}
MMCV = {
    'mmcv-lite': ('2.0.1', '2.4'),
    'mmcv': ('2.0.1', '2.4'),
    'onedl-mmcv': ('2.3.6', '2.4')
}
MMCLS = {'mmcls': ('1.0.0rc6', '1.1')}
MMSELFSUP = {'mmselfsup': ('1.0.0', '1.1')}
MMPRETRAIN = {
    'mmpretrain': ('1.2.0', '1.3'),
    'onedl-mmpretrain': ('1.3.6', '1.4')
}
STACKS = dict(
    mmselfsup=(TORCH, MMENGINE, MMCV_OF_2023, MMCLS, MMSELFSUP),
    mmpretrain=(TORCH, MMENGINE, MMCV, MMPRETRAIN))


def _check_stack() -> None:
    """Raise an ImportError if a package is missing or not supported."""
    for windows in STACKS[host.NAME]:
        versions = {}
        for name in windows:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                pass
        if not versions:
            name, (low, high) = next(iter(windows.items()))
            raise host.refused(
                f'mmregioncl needs {name}, which is not '
                f"installed: pip install '{name}>={low},<{high}'")
        for name, version in versions.items():
            low, high = windows[name]
            if not Version(low) <= Version(version) < Version(high):
                raise host.refused(
                    f'mmregioncl needs {name}>={low},<{high}, but {version} '
                    f"is installed: pip install '{name}>={low},<{high}'")


_check_stack()

from . import compat  # noqa: E402

compat.apply()

from .engine import storage  # noqa: E402, F401  registers a backend

__all__ = ['__version__']
