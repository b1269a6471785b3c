"""Checkpoints that are whole or not there, and found again."""
import os
import re
from pathlib import Path
from typing import Optional, Union
from zipfile import is_zipfile

from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log


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
            os.fsync(stream.fileno())  # or a power cut may leave a name alone
        os.replace(part, filepath)


def find_checkpoint(work_dir: Union[str, Path]) -> Optional[str]:
    """The last whole checkpoint that a run wrote into a folder.

    MMEngine's note ``last_checkpoint`` names it by a path that is wrong after
    the folder was moved, and is one checkpoint behind after a kill between
    checkpoint and note. What an earlier run left in the folder is passed over.

    Args:
        work_dir (str or Path): Of a run.

    Returns:
        str or None: Its path, None if there is none.
    """
    whole = {}
    for path in sorted(Path(work_dir).glob('*.pth')):
        if not re.fullmatch(r'(epoch|iter)_\d+', path.stem):
            continue
        if is_zipfile(path):
            whole[path.name] = path
        else:
            print_log(f'passed over {path}, which is cut short', 'current')

    def written(path: Path) -> float:
        return path.stat().st_mtime

    note = Path(work_dir) / 'last_checkpoint'
    if note.exists():
        named = whole.get(Path(note.read_text().strip()).name)
        unnoted = [
            path for path in whole.values()
            if written(path) > written(note) and number(path) > number(named)
        ]
        if named and not unnoted:
            return str(named)
    newest = max(whole.values(), key=written, default=None)
    return newest and str(newest)


def number(path: Optional[Path]) -> int:
    """The epoch or iteration in the name of a checkpoint."""
    return int(path.stem.split('_')[1]) if path else -1
