"""``--resume`` fails on HistoryBuffer: torch >= 2.6 unpickles weights only.

MMEngine stores its log in checkpoints as HistoryBuffer objects, which hold
numpy arrays and methods of their class (open-mmlab/mmengine#1655). These are
added to torch's safe globals. Loading stays restricted to that list.
"""
from pickle import UnpicklingError
from typing import Callable

import numpy as np
from mmengine.logging import HistoryBuffer
from numpy._core import multiarray
from torch.serialization import add_safe_globals

STATISTICS = ('min', 'max', 'current', 'mean')


def patch() -> None:
    # numpy 2 renamed numpy.core. A checkpoint may come from either version.
    functions = [(getattr(multiarray, name), f'numpy.{core}.multiarray.{name}')
                 for name in ('_reconstruct', 'scalar')
                 for core in ('core', '_core')]
    codes = np.typecodes['AllInteger'] + np.typecodes['Float'] + '?'
    dtypes = {type(np.dtype(code)) for code in codes}
    add_safe_globals([
        HistoryBuffer, (get_statistic, 'builtins.getattr'), np.ndarray,
        np.dtype, *functions, *dtypes
    ])


def get_statistic(owner: type, name: str) -> Callable:
    """Replace ``getattr`` when a checkpoint is unpickled.

    Pickle writes a method as ``getattr(class, name)``. The builtin would give
    access to any attribute of any object.

    Args:
        owner (type): HistoryBuffer.
        name (str): Name of one of its statistics.

    Returns:
        Callable: The method that computes the statistic.

    Raises:
        UnpicklingError: If anything else is asked for.
    """
    if owner is not HistoryBuffer or name not in STATISTICS:
        raise UnpicklingError(f'getattr({owner}, {name!r}) is not allowed in '
                              'a checkpoint')
    return getattr(owner, name)
