from difflib import get_close_matches
from inspect import getmro, isclass, signature
from numbers import Real
from typing import Any, Callable, Iterable, Optional, Sequence, Set

import numpy as np


def check_whole_number(name: str, value: float, low: int, owner: str) -> int:
    """Return a setting as an int if it is a whole number.

    Args:
        name (str): Name of the setting.
        value (float): Its value.
        low (int): Smallest value allowed.
        owner (str): Class that has the setting.

    Raises:
        ValueError: If the value is below `low` or not a whole number.
    """
    if not (is_number(value) and value >= low and value % 1 == 0):
        raise ValueError(f'{name}={value} of {owner} has to be a whole number '
                         f'from {low} on')
    return int(value)


def check_number(name: str,
                 value: float,
                 owner: str,
                 positive: bool = False) -> float:
    """Return a setting if it is a finite number from 0 on.

    Args:
        name (str): Name of the setting.
        value (float): Its value.
        owner (str): Class that has the setting.
        positive (bool): Whether 0 is refused. Defaults to False.

    Raises:
        ValueError: If it is not.
    """
    if not is_number(value) or not 0 <= value < float('inf') or (positive and
                                                                 value == 0):
        wanted = 'a positive number' if positive else '0 or a positive number'
        raise ValueError(f'{name}={value!r} of {owner} has to be {wanted}')
    return value


def is_number(value: Any) -> bool:
    """Whether a value is a number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def listed(value: Any) -> Sequence:
    """Return one value or several as a sequence."""
    several = isinstance(
        value, (Sequence, np.ndarray)) and not isinstance(value, str)
    return value if several else [value]


def similar(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known name that is most like another one; '' if none is."""
    return next(iter(get_close_matches(name, known, 1, cutoff)), '')


def meant(name: str, known: Iterable[str]) -> str:
    """The known name that a wrong one may stand for; '' if none does.

    A similar one, or its initials: ``lr`` for ``learning_rate``.
    """

    def initials(words: str) -> str:
        return ''.join(word[:1] for word in words.split('_'))

    return similar(name, known) or next(
        (one
         for one in known if one == initials(name) or initials(one) == name),
        '')


def proposal(name: Optional[str]) -> str:
    """What a user may have meant, for a message; '' if that is not known."""
    return f' ({name}?)' if name else ''


def arguments_of(kind: Callable) -> Set[str]:
    """Names of the arguments of a class or function.

    Those of the parents of a class are among them, as far as it passes any on.
    """
    known: Set[str] = set()
    for parent in getmro(kind)[:-1] if isclass(kind) else [kind]:
        parameters = signature(parent).parameters
        known |= parameters.keys()
        if all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
            break
    return known
