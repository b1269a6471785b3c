import sys
from typing import Callable


def substitute(original: Callable, patched: Callable) -> None:
    """Replace a function in every OpenMMLab module that has imported it.

    Modules that ran ``from x import y`` hold their own reference, which
    setting an attribute of ``x`` does not change.

    Args:
        original (Callable): The function to replace.
        patched (Callable): Its replacement.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith('mm') and vars(module).get(
                original.__name__) is original:
            setattr(module, original.__name__, patched)
