"""Lock the work dir of a run."""
import fcntl
import os
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional, TextIO, Union


def claim_work_dir(work_dir: Union[str, Path]) -> Optional[TextIO]:
    """Lock a work dir, so that no other run trains in it.

    The operating system releases the lock when the process exits for any
    reason, or if it opens and closes the file again. Data workers do not hold
    the lock. On file systems without locks, nothing is locked.

    Args:
        work_dir (str or Path): Work dir of the run. It is created.

    Returns:
        TextIO or None: Keep the file open during the run. None without locks.

    Raises:
        OSError: If the work dir is not writable, or another run uses it.
    """
    path = Path(work_dir) / '.lock'
    with writing(work_dir):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = open(path, 'a+')
    try:
        # flock would be shared with forked workers.
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        lock.seek(0)
        raise BlockingIOError(
            f'{work_dir} is in use by {lock.read() or "another run"}: wait '
            'for it, stop it, or use another folder') from None
    except OSError:  # the file system has no locks
        return None
    with writing(work_dir):
        lock.truncate(0)
        lock.write(f'process {os.getpid()} on {socket.gethostname()} since '
                   f'{time.strftime("%Y-%m-%d %H:%M:%S")}')
        lock.flush()
    return lock


@contextmanager
def writing(work_dir: Union[str, Path]) -> Iterator[None]:
    """Say what to do if a work dir cannot be written to.

    Raises:
        OSError: Instead of another one.
    """
    try:
        yield
    except OSError as error:
        raise OSError(f'cannot write to the work dir {work_dir} ({error}): '
                      'make room, or use another folder') from error
