"""Atomic writes, locks, and checks that checkpoints exist."""
import fcntl
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator, Union

ARCHIVE = 'archive://'  # prefix of addresses in a zip or a tar


@contextmanager
def atomic_write(path: Union[str, Path]) -> Iterator[Path]:
    """Write a temporary file that replaces `path` on success.

    An error does not change the previous file. Nor does a killed process,
    which leaves ``PATH.part`` behind.

    Args:
        path (str or Path): The file, or a link to it. Missing folders are
            created.

    Yields:
        Path: The temporary file, in the same folder.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    try:
        yield part
        with open(part, 'rb') as file:
            os.fsync(file.fileno())  # a power cut could leave an empty file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)  # the disk may be full
        raise


def write_json(path: Union[str, Path], content: dict) -> None:
    """Write a dict as JSON, completely or not at all."""
    with atomic_write(path) as part:
        part.write_text(json.dumps(content, indent=2))


@contextmanager
def locked(folder: Union[str, Path]) -> Iterator[None]:
    """Let one process at a time change the files in a folder, and create it.

    Some network file systems cannot lock a folder; there, nothing is locked.
    """
    os.makedirs(folder, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which unlocks it


def check_exists(path: Union[str, Path], optional: bool = False) -> str:
    """Refuse a checkpoint that does not exist. Addresses are not checked.

    Args:
        path (str or Path): The checkpoint.
        optional (bool): Whether 'none' is allowed, too. Defaults to False.

    Returns:
        str: Its path or address, without ``~``.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    found = os.path.expanduser(path)
    if '://' not in str(path) and not os.path.isfile(found):
        none = ', or "none" for random weights' if optional else ''
        raise FileNotFoundError(
            f'there is no checkpoint {path}: name a file that exists{none}')
    return str(found)


def printable(path: Union[str, Path]) -> str:
    """A path in a form that logs and pages can show, in one line.

    File names may contain line ends, and bytes that are not UTF-8. A file in
    an archive has the path that a user would write.
    """
    text = str(path).removeprefix(ARCHIVE)
    return text if text.isprintable() else repr(text)[1:-1]
