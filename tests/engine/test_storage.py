import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from mmengine.fileio import get_file_backend

from mmregioncl.engine.storage import find_checkpoint


@pytest.fixture
def backend():
    return get_file_backend(backend_args=dict(backend='mmregioncl.atomic'))


def test_file_is_replaced_whole(backend, tmp_path):
    path = tmp_path / 'new' / 'a.pth'
    for content in (b'first', b'second'):
        backend.put(content, path)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_kill_while_writing_leaves_the_old_file(backend, tmp_path):
    path, part = tmp_path / 'a.pth', tmp_path / 'a.pth.part'
    backend.put(b'old', path)
    process = subprocess.Popen([
        sys.executable, '-c', 'import mmregioncl\n'
        'from mmengine.fileio import get_file_backend\n'
        "args = dict(backend='mmregioncl.atomic')\n"
        f"get_file_backend(backend_args=args).put(bytes({2**29}), '{path}')"
    ])
    while process.poll() is None and not part.exists():
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL  # it was not done
    assert path.read_bytes() == b'old'


@pytest.fixture
def work_dir(tmp_path):
    """Of a run that wrote epochs 8 to 10, one each second."""
    for epoch in (8, 9, 10):
        write(tmp_path / f'epoch_{epoch}.pth', epoch)
    note(tmp_path, '/moved/epoch_10.pth', 10)
    return tmp_path


def write(path, seconds: int) -> None:
    torch.save({}, path)
    os.utime(path, (seconds, seconds))


def note(work_dir, path: str, seconds: int) -> None:
    (work_dir / 'last_checkpoint').write_text(path)
    os.utime(work_dir / 'last_checkpoint', (seconds, seconds))


def test_noted_checkpoint_is_found_in_a_folder_that_moved(work_dir):
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_10.pth')
    for epoch in (8, 9, 10):  # as a copy may leave them
        os.utime(work_dir / f'epoch_{epoch}.pth', (20 - epoch, 20 - epoch))
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_10.pth')
    assert find_checkpoint(work_dir / 'nowhere') is None


def test_checkpoint_that_was_not_noted_any_more_is_found(work_dir):
    write(work_dir / 'epoch_11.pth', 11)
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_11.pth')


def test_checkpoints_of_an_earlier_run_are_passed_over(work_dir):
    write(work_dir / 'epoch_1.pth', 21)
    note(work_dir, 'epoch_1.pth', 21)
    write(work_dir / 'best_epoch_99.pth', 22)  # not of this series
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_1.pth')


def test_file_that_was_cut_short_is_passed_over(work_dir):
    path = work_dir / 'epoch_10.pth'
    path.write_bytes(path.read_bytes()[:-100])
    shutil.copy(work_dir / 'epoch_9.pth', work_dir / 'epoch_11.pth.part')
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_9.pth')
