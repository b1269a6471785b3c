"""Checkpoints that are whole or not there, and found again."""
import os
import re
from pathlib import Path
from typing import Optional, Union
from zipfile import is_zipfile

from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader, load_from_local


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


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_local(filename: str, map_location=None) -> dict:
    """MMEngine's loader of local files, with errors that name the file.

    Args:
        filename (str): The checkpoint.
        map_location (optional): As of ``torch.load``.

    Raises:
        ValueError: If it is no whole checkpoint, or holds what torch does not
            load with ``weights_only``.
    """
    try:
        return load_from_local(filename, map_location)
    except OSError:  # names the file by itself
        raise
    except Exception as error:  # a decoder of broken bytes may raise anything
        reason = f'{type(error).__name__}: {error}'.splitlines()[0]
        raise ValueError(
            f'cannot load {filename}, which is broken, no checkpoint, or holds'
            f' objects that are not safe to load: take another one ({reason})'
        ) from error


def find_checkpoint(work_dir: Union[str, Path]) -> Optional[str]:
    """The newest whole checkpoint of a folder.

    It is found by its name. MMEngine looks into the note ``last_checkpoint``
    instead, which is old after a kill between checkpoint and note, and wrong
    after the folder was moved.

    Args:
        work_dir (str or Path): Of a run.

    Returns:
        str or None: Its path, None if there is none.
    """
    found = []
    for path in Path(work_dir).glob('*.pth'):
        name = re.fullmatch(r'(epoch|iter)_(\d+)', path.stem)
        if name and is_zipfile(path):  # a file that was cut short is none
            found.append((int(name[2]), path))
        elif name:
            print_log(f'passed over {path}, which is cut short', 'current')
    # Who changed from epochs to iterations wants the later of both.
    newest = {path.stem.split('_')[0]: path for _, path in sorted(found)}
    return str(max(newest.values(),
                   key=lambda path: path.stat().st_mtime)) if newest else None
