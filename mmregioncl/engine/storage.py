import os
from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend


@register_backend('mmregioncl.atomic')
class AtomicBackend(LocalBackend):
    """Local files that are either whole or not there.

    Bytes go to a temporary name in the same folder, which is then
    renamed: a run that is killed while it writes a checkpoint leaves no
    half of one.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes to a file, replacing it at once.

        Args:
            obj (bytes): What to write.
            filepath (str or Path): Where to; missing folders are made.
        """
        part = Path(f'{filepath}.part')
        part.parent.mkdir(parents=True, exist_ok=True)
        with open(part, 'wb') as stream:
            stream.write(obj)
            stream.flush()
            os.fsync(stream.fileno())  # or a power cut may undo the rename
        os.replace(part, filepath)
