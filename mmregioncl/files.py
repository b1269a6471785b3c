"""Files that are whole or not there."""
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union


@contextmanager
def whole_file(path: Union[str, Path]) -> Iterator[Path]:
    """A name to write under, which becomes `path` when all went well.

    A process that is killed while it writes leaves the file of before, and
    ``PATH.part`` beside it; an error leaves the file of before alone.

    Args:
        path (str or Path): The file, or a link to it; missing folders are
            made.

    Yields:
        Path: A temporary name in the same folder.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    try:
        yield part
        with open(part, 'rb') as file:
            os.fsync(file.fileno())  # or a power cut may leave a name alone
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)  # it may have filled the disk
        raise


def write_json(path: Union[str, Path], content: dict) -> None:
    """Write a dict, at once or not at all."""
    with whole_file(path) as part:
        part.write_text(json.dumps(content, indent=2))
