import sys
from typing import Callable


def substitute(original: Callable, patched: Callable) -> None:
    """Replace a function in every OpenMMLab module that has imported it.

    Modules that ran ``from x import y`` have their own reference, which
    setting an attribute of ``x`` does not change.

    Args:
        original (Callable): The function to replace.
        patched (Callable): Its replacement.
    """
    for name, module in list(sys.modules.items()):
        # sys.modules[name] = None forbids an import
        if name.startswith('mm') and getattr(module, original.__name__,
                                             None) is original:
            setattr(module, original.__name__, patched)
