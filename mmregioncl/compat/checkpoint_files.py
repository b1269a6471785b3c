"""Errors about a broken checkpoint do not name the file.

MMEngine 0.10.7 passes a path to ``torch.load``. Its errors do not say which
file is empty, truncated, not a checkpoint or not safe to load. No upstream
issue is known.
"""
import re

from mmengine.runner import checkpoint as upstream
from mmengine.runner.checkpoint import CheckpointLoader


def patch() -> None:
    CheckpointLoader.register_scheme('', load_from_local, force=True)


def load_from_local(filename: str, map_location=None) -> dict:
    """Load a local checkpoint as MMEngine does, with errors that name it.

    Args:
        filename (str): Path of the checkpoint.
        map_location (optional): Argument of ``torch.load``.

    Returns:
        dict: The checkpoint.

    Raises:
        ValueError: If the file is broken, is not a checkpoint, or holds
            objects that ``weights_only`` does not allow.
    """
    try:
        weights = upstream.load_from_local(filename, map_location)
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # broken bytes may raise anything
        # These RuntimeErrors are about memory or devices, not the file.
        if isinstance(error, RuntimeError) and re.search(
                'CUDA|out of memory|on a .* device', str(error)):
            raise
        unsafe = re.search(r'GLOBAL (\S+)', str(error))
        fault = f'holds {unsafe[1]}, which is not safe to load' if unsafe \
            else 'is broken or not a checkpoint'
        raise ValueError(
            f'cannot load {filename}, which {fault}: use another checkpoint'
        ) from error
    if not isinstance(weights, dict):
        raise ValueError(f'{filename} holds a {type(weights).__name__}, not a '
                         'dict of weights: use another checkpoint')
    return weights
