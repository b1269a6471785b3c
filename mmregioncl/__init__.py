"""Region-level contrastive pre-training for OpenMMLab."""

from importlib import metadata

from packaging.version import Version

from .version import __version__

# Supported versions: the first included, the second excluded.
STACK = dict(
    torch=('2.6', '3'),
    mmengine=('0.10.7', '0.11'),
    mmcls=('1.0.0rc6', '1.1'),
    mmselfsup=('1.0.0', '1.1'))
MMCV = ('2.0.1', '2.1')  # what mmselfsup 1.0.0 and mmdet 3.3 accept


def _check_stack() -> None:
    """Raise an ImportError if a package is missing or not supported."""
    windows = dict(STACK)
    # Two distributions provide the module mmcv.
    full = any(metadata.distributions(name='mmcv'))
    windows['mmcv' if full else 'mmcv-lite'] = MMCV

    for name, (low, high) in windows.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            raise ImportError(
                f'mmregioncl needs {name}, which is not '
                f"installed: pip install '{name}>={low},<{high}'") from None
        if not Version(low) <= Version(version) < Version(high):
            raise ImportError(
                f'mmregioncl needs {name}>={low},<{high}, but {version} is '
                f"installed: pip install '{name}>={low},<{high}'")


_check_stack()

from . import compat  # noqa: E402

compat.apply()

from .engine import storage  # noqa: E402, F401  registers a backend

__all__ = ['__version__']
