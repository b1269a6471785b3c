"""``--resume`` dies on HistoryBuffer: torch >= 2.6 unpickles weights only.

MMEngine keeps its log in a checkpoint as HistoryBuffer objects, which hold
numpy arrays and methods of their class (open-mmlab/mmengine#1655). They are
put on torch's list of safe types; loading stays restricted to that list.
"""
from pickle import UnpicklingError
from typing import Callable

import numpy as np
from mmengine.logging import HistoryBuffer
from torch.serialization import add_safe_globals

try:
    from numpy._core import multiarray
except ImportError:  # numpy < 1.26
    from numpy.core import multiarray

STATISTICS = ('min', 'max', 'current', 'mean')


def mend() -> None:
    # numpy 2 renamed numpy.core; a checkpoint may come from either side.
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
    """All that ``getattr`` may do in a checkpoint.

    Pickle writes a method as getattr(class, name). The real one would hand
    out attributes of anything.

    Args:
        owner (type): HistoryBuffer.
        name (str): Name of one of its statistics.
    """
    if owner is not HistoryBuffer or name not in STATISTICS:
        raise UnpicklingError(f'getattr({owner}, {name!r}) is not allowed in '
                              'a checkpoint')
    return getattr(owner, name)
