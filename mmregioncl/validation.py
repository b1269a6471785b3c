from numbers import Real


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
    if not (isinstance(value, Real) and value >= low and value % 1 == 0):
        raise ValueError(f'{name}={value} of {owner} has to be a whole number '
                         f'from {low} on')
    return int(value)
