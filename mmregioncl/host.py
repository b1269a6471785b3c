"""The package whose algorithms this one extends: MMSelfSup, or MMPretrain.

The host is whichever is installed, and MMSelfSup if both are. The environment
variable ``MMREGIONCL_HOST`` sets it. One process has one host, since
both register a layer of detectors under the same name.
"""
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec

# Packages of each host whose classes a config may name without their scope
SCOPES = dict(mmselfsup=('mmselfsup', 'mmcls'), mmpretrain=('mmpretrain', ))
# Packages whose settings are known; others are a user's own
PACKAGES = ('mmregioncl', 'mmengine', 'mmcv', 'mmcls', 'mmselfsup',
            'mmpretrain', 'mmdet', 'mmseg', 'torch', 'torchvision')
VARIABLE = 'MMREGIONCL_HOST'
# Shows the traceback of every error if it is set
TRACEBACK = 'MMREGIONCL_TRACEBACK'
INSTALLED = [name for name in SCOPES if find_spec(name)]


def refused(message: str) -> ImportError:
    """An error that is printed without a traceback if nothing catches it."""
    refusal, others = ImportError(message), sys.excepthook

    def print_refusal(kind: type, error: BaseException, trace) -> None:
        if error is refusal and not os.environ.get(TRACEBACK):
            print(error, file=sys.stderr)
        else:
            others(kind, error, trace)

    sys.excepthook = print_refusal
    return refusal


def choose() -> str:
    """Name of the host.

    Raises:
        ImportError: If no host is installed, or the requested one is unknown,
            not installed, or excluded by the other.
    """
    name = os.environ.get(VARIABLE) or next(iter(INSTALLED), None)
    if name is None:
        raise refused('mmregioncl needs mmselfsup or mmpretrain: pip '
                      "install 'mmregioncl[mmselfsup]' or "
                      "'mmregioncl[mmpretrain]'")
    if name not in SCOPES:
        raise refused(f'{VARIABLE}={name} is not a valid host: use one '
                      f'of {", ".join(SCOPES)}')
    if name not in INSTALLED:
        raise refused(f'{VARIABLE}={name} is not installed: pip install '
                      f"'mmregioncl[{name}]', or unset it")
    for other in SCOPES.keys() - {name}:
        if sys.modules.get(other) is not None:  # None blocks an import
            raise refused(excluded(other, name))
    return name


def excluded(other: str, name: str) -> str:
    """Why the other host cannot be imported, and what to do."""
    install = '' if other in INSTALLED else \
        f"pip install 'mmregioncl[{other}]' and "
    return (f'{other} cannot be imported together with {name}, the host of '
            f'mmregioncl: {install}set {VARIABLE}={other} to use {other}')


class RefuseOtherHost(MetaPathFinder):
    """Refuse to import the host that was not chosen."""

    def find_spec(self, fullname: str, path, target=None) -> None:
        if fullname in SCOPES and fullname != NAME:
            raise ImportError(excluded(fullname, NAME), name=fullname)


NAME = choose()
sys.meta_path.insert(0, RefuseOtherHost())


def qualified(name: str) -> str:
    """Name of a class for classifiers with its scope, for configs."""
    return f'{SCOPES[NAME][-1]}.{name}'


def is_own(kind: type) -> bool:
    """Whether a class is a user's own."""
    return kind.__module__.partition('.')[0] not in PACKAGES


def scope_of(cfg: dict) -> str:
    """Default scope of a config, the host's if it sets none."""
    return cfg.get('default_scope') or NAME


def kept(share: float) -> float:
    """The momentum of a moving average that keeps a share in each step.

    MMSelfSup's settings are the share that is kept, such as 0.999, and
    MMPretrain's the share that is replaced, 0.001. The function is its own
    inverse: for a momentum it returns the share that is kept.
    """
    return share if NAME == 'mmselfsup' else round(1 - share, 12)


def check_momentum(name: str, momentum: float, owner: str) -> None:
    """Refuse a momentum that was meant for the other host.

    Args:
        name (str): Name of the setting.
        momentum (float): Its value.
        owner (str): What has the setting, for the message.

    Raises:
        ValueError: If it keeps less than half of the average, or more than
            all.
    """
    if not 0.5 <= kept(momentum) <= 1:
        kind = 'kept' if NAME == 'mmselfsup' else 'replaced'
        other = 1 - momentum  # as the other host has it
        right = f'{other:.6g}' if 0.5 <= kept(other) < 1 else f'{kept(.999)}'
        raise ValueError(
            f'{name}={momentum:.6g} of {owner}: in {NAME} it is the share of '
            f'the average that is {kind} in each step, set {name}={right}')
