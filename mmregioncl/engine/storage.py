"""Checkpoints that are whole or not there, and found again."""
from pathlib import Path
from typing import Optional, Tuple, Union

import torch
from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log

from mmregioncl.files import whole_file


@register_backend('mmregioncl.atomic')
class AtomicBackend(LocalBackend):
    """Local files, by :func:`mmregioncl.files.whole_file`."""

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes to a file, replacing it at once.

        Args:
            obj (bytes): What to write.
            filepath (str or Path): Where to; missing folders are made.
        """
        with whole_file(filepath) as part:
            part.write_bytes(obj)


def find_checkpoint(work_dir: Union[str, Path]) -> Optional[str]:
    """The checkpoint of a folder that was written last.

    By the time in the checkpoint itself: names start anew with each run, times
    of files change when a folder is copied, and MMEngine's note
    ``last_checkpoint`` is wrong after a move, and one behind after a kill
    between checkpoint and note. The file that the note names counts as well,
    if checkpoints go elsewhere.

    Args:
        work_dir (str or Path): Of a run.

    Returns:
        str or None: Its path, None if nothing was written yet.

    Raises:
        FileNotFoundError: If there is a note, but no whole checkpoint.
    """
    paths = set(Path(work_dir).glob('*.pth'))
    note = Path(work_dir) / 'last_checkpoint'
    if note.exists():
        paths.add(Path(note.read_text().strip()))
    written = {path: written_at(path) for path in sorted(paths)}
    last = max(written, key=written.get, default=None)
    if last is not None and written[last] > ('', 0):
        return str(last)
    if note.exists():
        raise FileNotFoundError(
            f'{note} names {note.read_text().strip()}, and there is no whole '
            'checkpoint there or beside it: name one to resume from')
    return None


def written_at(path: Path) -> Tuple[str, int]:
    """Time and step in a checkpoint to resume from, ('', 0) if it is none."""
    try:
        checkpoint = torch.load(path, 'cpu', mmap=True)
        meta = checkpoint['meta']
        # MMEngine's best_*.pth have no optimizer to go on with.
        whole = 'optimizer' in checkpoint
        return (meta['time'], meta['iter']) if whole else ('', 0)
    except Exception as error:  # broken bytes may raise anything
        if path.exists():
            print_log(f'passed over {path} ({type(error).__name__})',
                      'current')
        return '', 0
