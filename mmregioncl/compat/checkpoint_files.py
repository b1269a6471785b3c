"""A broken checkpoint is not named: torch's error speaks of archives.

MMEngine 0.10.7 hands a path on to ``torch.load``, whose errors on a file that
is empty, cut short, no checkpoint, or not safe to load do not say which file.
No upstream issue is known.
"""
import re

from mmengine.runner import checkpoint as upstream
from mmengine.runner.checkpoint import CheckpointLoader


def mend() -> None:
    CheckpointLoader.register_scheme('', load_from_local, force=True)


def load_from_local(filename: str, map_location=None) -> dict:
    """MMEngine's loader of local files, with errors that name the file.

    Args:
        filename (str): The checkpoint.
        map_location (optional): As of ``torch.load``.

    Raises:
        ValueError: If it is no whole checkpoint, or holds what torch does not
            load with ``weights_only``.
    """
    try:
        weights = upstream.load_from_local(filename, map_location)
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # broken bytes may raise anything
        # These RuntimeErrors are of the memory or the device, not of the file.
        if isinstance(error, RuntimeError) and re.search(
                'CUDA|out of memory|on a .* device', str(error)):
            raise
        unsafe = re.search(r'GLOBAL (\S+)', str(error))
        fault = f'holds {unsafe[1]}, which is not safe to load' if unsafe \
            else 'is broken, or no checkpoint'
        raise ValueError(
            f'cannot load {filename}, which {fault}: take another checkpoint'
        ) from error
    if not isinstance(weights, dict):
        raise ValueError(f'{filename} holds a {type(weights).__name__}, and '
                         'no dict of weights: take another checkpoint')
    return weights
