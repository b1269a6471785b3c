import logging
import os
from collections import deque
from contextlib import suppress
from typing import Deque, Tuple

from mmengine.logging import print_log
from mmengine.visualization import LocalVisBackend

from mmregioncl.registry import VISBACKENDS


@VISBACKENDS.register_module()
class SafeVisBackend(LocalVisBackend):
    """``LocalVisBackend`` that survives a full disk.

    Scalars that cannot be written are kept and written later, with one
    warning. The arguments are the same as for ``LocalVisBackend``.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: Deque[Tuple[dict, str, str]] = deque()
        self.warned = False

    def _dump(self, value_dict: dict, file_path: str,
              file_format: str) -> None:
        self.waiting.append((value_dict, file_path, file_format))
        while self.waiting:
            _, path, _ = self.waiting[0]
            size = os.path.getsize(path) if os.path.exists(path) else 0
            try:
                super()._dump(*self.waiting[0])
            except OSError as error:
                with suppress(OSError):  # remove an incomplete line
                    os.truncate(path, size)
                if not self.warned:
                    print_log(f'cannot write to {path} ({error}): make room',
                              'current', logging.WARNING)
                self.warned = True
                return
            self.waiting.popleft()
