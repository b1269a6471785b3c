"""Messages of this package in errors of data workers."""
import re
from pathlib import Path
from typing import Optional

PACKAGE = str(Path(__file__).parents[1])
FRAME = r'  File "(.+)", line \d+, in \S+\n((?:    .*\n)*)'


def refusal_of_worker(text: str) -> Optional[str]:
    """The sentence that this package raised in a data worker.

    Args:
        text (str): PyTorch's error, which repeats the traceback of the worker.

    Returns:
        str or None: The sentence. None for an error of this process, and for
        one that another package raised.
    """
    last = text.rpartition('Traceback (most recent call last):\n')[2]
    calls = re.findall(FRAME, last)
    if text.startswith('Caught ') and calls:
        path, code = calls[-1]
        if path.startswith(PACKAGE) and code.strip().startswith('raise '):
            return re.sub(FRAME, '', last).strip().partition(': ')[2]
    return None
