import errno
import os
import signal
from unittest.mock import Mock

import pytest

from mmregioncl.causes import is_refusal
from mmregioncl.engine import work_dir
from mmregioncl.engine.work_dir import claim_work_dir


def hold(folder) -> int:
    """A process that claims the work dir, and then sleeps."""
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        lock = claim_work_dir(folder)
        os.write(told, b'.')
        signal.pause()
        lock.close()
    os.read(ready, 1)
    return child


def test_a_second_run_is_refused_until_the_first_is_killed(tmp_path):
    child = hold(tmp_path / 'new')
    try:
        with pytest.raises(
                BlockingIOError,
                match=rf'new is in use by process {child} on .* since 20\d\d-.'
                '*: wait for it, stop it, or use another folder') as info:
            claim_work_dir(tmp_path / 'new')
        assert is_refusal(info.value)  # has no traceback
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with claim_work_dir(tmp_path / 'new'):
        text = (tmp_path / 'new/.lock').read_text()
        assert text.startswith(f'process {os.getpid()} on ')


def test_data_workers_do_not_hold_the_lock(tmp_path):
    """They may outlive a process that is killed by some seconds."""
    ready, told = os.pipe()
    run = os.fork()
    if run == 0:
        claim = claim_work_dir(tmp_path)
        worker = os.fork()
        if worker:
            os.write(told, str(worker).encode())
        signal.pause()
        claim.close()
    worker = int(os.read(ready, 10))
    os.kill(run, signal.SIGKILL)
    os.waitpid(run, 0)
    try:
        claim_work_dir(tmp_path).close()
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(
            OSError,
            match='cannot write to the work dir .*file/run .*: make '
            'room, or use another folder'):
        claim_work_dir(tmp_path / 'file/run')


def test_a_read_only_folder_is_refused(tmp_path, monkeypatch):
    """Simulated, since tests may run as root, who can write anywhere."""

    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, 'Read-only file system')

    monkeypatch.setattr('builtins.open', refuse)
    with pytest.raises(OSError, match='Read-only file system.*or use another'):
        claim_work_dir(tmp_path)


def test_without_locks_runs_are_not_told_apart(tmp_path, monkeypatch):
    """On some network file systems."""
    monkeypatch.setattr(work_dir.fcntl, 'lockf', Mock(side_effect=OSError))
    assert claim_work_dir(tmp_path) is None


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    full = Mock(side_effect=OSError(errno.ENOSPC, 'No space left on device'))
    monkeypatch.setattr(work_dir.socket, 'gethostname', full)
    with pytest.raises(OSError, match='No space left on device.: make room'):
        claim_work_dir(tmp_path)
