from difflib import get_close_matches
from inspect import getmro, isclass, signature
from math import inf
from numbers import Real
from typing import Any, Callable, Iterable, Sequence, Set, Tuple, Union

import numpy as np


def check_whole_number(name: str,
                       value: Any,
                       owner: str,
                       low: int = 1,
                       optional: bool = False,
                       high: float = inf) -> Any:
    """Return a setting as an int if it is a whole number.

    Args:
        name (str): Name of the setting.
        value (float, optional): Its value.
        owner (str): Class that has the setting.
        low (int): Smallest value allowed. Defaults to 1.
        optional (bool): Whether None is allowed and returned. Defaults to
            False.
        high (float): Largest value allowed. Defaults to inf.

    Raises:
        ValueError: If the value is out of the range or not a whole number.
    """
    if optional and value is None:
        return None
    if not (is_number(value) and low <= value <= high and value % 1 == 0):
        span = f'from {low} on' if high == inf else f'from {low} to {high}'
        raise ValueError(f'{name}={value!r} of {owner} has to be a whole '
                         f'number {span}')
    return int(value)


def check_seed(name: str, value: Any, owner: str) -> int:
    """Return a seed as an int if NumPy accepts it.

    Raises:
        ValueError: If it is not a whole number from 0 to 2**32 - 1.
    """
    return check_whole_number(name, value, owner, low=0, high=2**32 - 1)


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
    if not is_number(value) or not 0 <= value < inf or (positive
                                                        and value == 0):
        wanted = 'a positive number' if positive else '0 or a positive number'
        raise ValueError(f'{name}={value!r} of {owner} has to be {wanted}')
    return value


def check_size(size: Union[int, Sequence[int]], owner: str) -> Tuple[int, int]:
    """Return height and width of a size in pixels.

    Args:
        size (int or Sequence[int]): Height and width, or one number for both.
        owner (str): Class that has the setting.

    Raises:
        ValueError: If they are not whole numbers from 1 on.
    """
    sides = (size, size) if is_number(size) else size
    if not isinstance(sides, Sequence) or len(sides) != 2 or not all(
            is_number(side) and side >= 1 and side % 1 == 0 for side in sides):
        raise ValueError(f'size={size!r} of {owner} has to be a number of '
                         'pixels, or height and width')
    height, width = map(int, sides)
    return height, width


def check_choice(name: str, value: str, owner: str,
                 choices: Sequence[str]) -> str:
    """Return a setting if it is one of the choices.

    Raises:
        ValueError: If it is not.
    """
    if value not in choices:
        raise ValueError(f'{name}={value!r} of {owner} has to be one of '
                         f'{", ".join(choices)}')
    return value


def check_flag(name: str, value: Any, owner: str) -> bool:
    """Return a setting if it is True or False; 'False' would be true.

    Raises:
        ValueError: If it is not.
    """
    if value not in (True, False):
        raise ValueError(f'{name}={value!r} of {owner} has to be True or '
                         'False')
    return value


def check_probability(name: str, value: float, owner: str) -> float:
    """Return a setting if it is a number from 0 to 1.

    Raises:
        ValueError: If it is not.
    """
    if not is_number(value) or not 0 <= value <= 1:
        raise ValueError(f'{name}={value!r} of {owner} has to be a '
                         'probability, from 0 to 1')
    return value


def is_number(value: Any) -> bool:
    """Whether a value is a number, and not True or False."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_span(value: Any, low: float = 0, high: float = inf) -> bool:
    """Whether a value is two finite numbers within limits, the lower first."""
    return isinstance(value, Sequence) and len(value) == 2 and all(
        map(is_number, value)) and low <= value[0] <= value[1] <= high and \
        value[1] < inf


def listed(value: Any) -> Sequence:
    """Return one value or several as a sequence."""
    several = isinstance(
        value, (Sequence, np.ndarray)) and not isinstance(value, str)
    return value if several else [value]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name that a wrong one may stand for, for a message.

    A similar one, or its initials: ``lr`` for ``learning_rate``.

    Returns:
        str: Such as ' (lr?)'; '' if none is near.
    """

    def initials(words: str) -> str:
        return ''.join(word[:1] for word in words.split('_'))

    near = get_close_matches(name, known, 1) or [
        one for one in known if one == initials(name) or initials(one) == name
    ]
    return f' ({near[0]}?)' if near else ''


def arguments_of(kind: Callable) -> Set[str]:
    """Names of the arguments of a class or function.

    Includes the parents' arguments if the class forwards ``**kwargs``.
    """
    known: Set[str] = set()
    owners = [kind]
    if isclass(kind):  # a mixin may have no arguments of its own
        owners = [one for one in getmro(kind)[:-1] if '__init__' in vars(one)]
    for owner in owners:
        parameters = signature(owner).parameters
        known |= parameters.keys()
        if all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
            break
    return known
