import sys
from typing import Callable


def substitute(original: Callable, mended: Callable) -> None:
    """Put `mended` wherever an OpenMMLab module holds `original` by name.

    Modules imported earlier have taken the function with ``from x import y``,
    so that a new attribute of its own module alone would not reach them.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith('mm') and vars(module).get(
                original.__name__) is original:
            setattr(module, original.__name__, mended)
