"""``--resume`` fails on HistoryBuffer: torch >= 2.6 unpickles weights only.

MMEngine stores its log in checkpoints as HistoryBuffer objects, which contain
numpy arrays and methods of their class (open-mmlab/mmengine#1655). These are
added to torch's safe globals. Loading stays restricted to that list. Arrays
contain only numbers, as those of objects would treat bytes of the file as
addresses, and get their numbers once, as a tensor may share their memory.
"""
from pickle import UnpicklingError
from typing import Callable

import numpy as np
from mmengine.logging import HistoryBuffer
from numpy._core import multiarray
from torch.serialization import add_safe_globals

STATISTICS = ('min', 'max', 'current', 'mean')
CODES = np.typecodes['AllInteger'] + np.typecodes['Float'] + '?'
# By names such as f8. A pickle cannot change the state of these dtypes.
DTYPES = {
    name: np.dtype(name)
    for name in (np.dtype(c).str[1:] for c in CODES)
}


def patch() -> None:
    # numpy 2 renamed numpy.core. A checkpoint may come from either version.
    functions = [(function, f'numpy.{core}.multiarray.{name}')
                 for name, function in (('_reconstruct', empty_array),
                                        ('scalar', multiarray.scalar))
                 for core in ('core', '_core')]
    # These may get a state. No pickle can call them: a name in it has a dot.
    types = [(kind, kind.__name__)
             for kind in (Array, *map(type, DTYPES.values()))]
    add_safe_globals([
        HistoryBuffer, (get_statistic, 'builtins.getattr'),
        (empty_array, 'numpy.ndarray'), (get_dtype, 'numpy.dtype'), *functions,
        *types
    ])


class Array(np.ndarray):
    """An array that gets its numbers once, and is saved like any other."""

    def __setstate__(self, state: tuple) -> None:
        if self.size:
            raise UnpicklingError('an array is given other numbers')
        super().__setstate__(state)

    def __reduce_ex__(self, protocol: int) -> tuple:
        return np.asarray(self).__reduce_ex__(protocol)


def empty_array(*_) -> Array:
    """Replace the class of arrays: a pickle sets shape and numbers next."""
    return np.empty(0).view(Array)


def get_dtype(name: str, *_) -> np.dtype:
    """Replace the class of dtypes when a checkpoint is unpickled.

    Raises:
        UnpicklingError: If it is not one of real numbers.
    """
    if name not in DTYPES:
        raise UnpicklingError(f'an array of {name} is not allowed in a '
                              'checkpoint')
    return DTYPES[name]


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
