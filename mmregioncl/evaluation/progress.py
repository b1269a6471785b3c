"""Progress of an evaluation: a bar on a terminal, otherwise a log."""
import sys
import time
from typing import Iterable, Iterator, Optional, TypeVar

from mmengine.dist import is_main_process
from mmengine.logging import print_log
from tqdm import tqdm

T = TypeVar('T')


def with_progress(items: Iterable[T],
                  name: str,
                  total: Optional[int] = None) -> Iterator[T]:
    """Iterate, and show progress on the first process.

    Args:
        items (Iterable): Batches, epochs and the like.
        name (str): Description of the items.
        total (int, optional): Number of items. Defaults to None, their length.
    """
    if total is None:
        total = len(items)  # type: ignore
    if not is_main_process():
        yield from items
    elif sys.stderr.isatty():
        yield from tqdm(items, desc=name, total=total, leave=False)
    else:
        start = logged = time.time()
        for done, item in enumerate(items):
            if time.time() - logged > 60 and done:
                logged = time.time()
                left = (logged - start) * (total - done) / done
                print_log(f'{name}: {done} of {total}, {left:.0f} s left',
                          'current')
            yield item
