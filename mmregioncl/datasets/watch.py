"""Log images that load slowly."""
import logging
import os
import time
from threading import Thread
from typing import Any, Optional, Tuple

from mmengine.dist import get_rank
from mmengine.logging import print_log

from mmregioncl.files import printable

PATIENCE = 60  # seconds


class Watch:
    """A thread that logs which image a process is waiting for.

    Storage may hang, for example on a network. The process continues once the
    image is loaded.
    """

    def __init__(self) -> None:
        self.process: Optional[int] = None  # in which the thread runs
        # When it began, the data set and the index
        self.task: Optional[Tuple[float, Any, int]] = None

    def begin(self, dataset, index: int) -> None:
        """Record that an image is going to be loaded."""
        self.task = time.monotonic(), dataset, index
        if self.process != os.getpid():  # threads end where processes fork
            self.process = os.getpid()
            Thread(target=self.look, daemon=True).start()

    def end(self) -> None:
        """Record that it is loaded."""
        self.task = None

    def look(self) -> None:
        """Log each image once if it is not loaded in time."""
        logged = None
        while True:
            time.sleep(PATIENCE / 6)
            task = self.task
            if task is None or task is logged:
                continue
            seconds = time.monotonic() - task[0]
            if seconds > PATIENCE:
                logged = task
                print_log(
                    f'rank {os.environ.get("RANK", get_rank())} has been '
                    f'loading {name_of(*task[1:])} for {seconds:.0f} s: check '
                    'its storage, or set train_dataloader.timeout, in '
                    'seconds, to end a run that waits longer', 'current',
                    logging.ERROR)  # ranks other than 0 log nothing else


def name_of(dataset, index: int) -> str:
    """The path of an image, or its index."""
    try:
        return printable(dataset.get_data_info(index)['img_path'])
    except Exception:  # data sets of other kinds may raise anything
        return f'image {index}'


watch = Watch()
