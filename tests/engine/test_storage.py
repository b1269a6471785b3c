import os
import shutil
import subprocess
import sys
import time

import pytest
import torch
from mmengine.fileio import get_file_backend
from mmengine.runner.checkpoint import CheckpointLoader

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


def test_kill_while_writing_leaves_a_whole_file(backend, tmp_path):
    path, part = tmp_path / 'a.pth', tmp_path / 'a.pth.part'
    backend.put(b'old', path)
    size = 2**28
    process = subprocess.Popen([
        sys.executable, '-c', 'import mmregioncl\n'
        'from mmengine.fileio import get_file_backend\n'
        "args = dict(backend='mmregioncl.atomic')\n"
        f"get_file_backend(backend_args=args).put(bytes({size}), '{path}')"
    ])
    while process.poll() is None and not part.exists():
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert path.stat().st_size in (3, size)  # the old one, or all of the new


@pytest.fixture
def work_dir(tmp_path):
    """Of a run that wrote epochs 8 to 10."""
    for epoch in (8, 9, 10):
        torch.save(dict(epoch=epoch), tmp_path / f'epoch_{epoch}.pth')
    return tmp_path


def test_newest_checkpoint_is_found_by_name(work_dir):
    (work_dir / 'last_checkpoint').write_text('/moved/epoch_8.pth')
    torch.save({}, work_dir / 'best_epoch_11.pth')  # not of this series
    os.utime(work_dir / 'epoch_8.pth')  # as a copy may leave it
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_10.pth')
    assert find_checkpoint(work_dir / 'nowhere') is None


def test_later_of_epochs_and_iterations_is_found(work_dir):
    torch.save({}, work_dir / 'iter_5.pth')
    os.utime(work_dir / 'iter_5.pth', (2**33, 2**33))
    assert find_checkpoint(work_dir) == str(work_dir / 'iter_5.pth')


def test_file_that_was_cut_short_is_passed_over(work_dir):
    path = work_dir / 'epoch_10.pth'
    path.write_bytes(path.read_bytes()[:-100])
    shutil.copy(work_dir / 'epoch_9.pth', work_dir / 'epoch_11.pth.part')
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_9.pth')


@pytest.mark.parametrize('content', [b'', b'no checkpoint', b'cut'])
def test_broken_checkpoint_is_named(work_dir, content):
    path = work_dir / 'epoch_10.pth'
    path.write_bytes(path.read_bytes()[:-100] if content ==
                     b'cut' else content)
    with pytest.raises(ValueError, match=f'^cannot load {path}, which is'):
        CheckpointLoader.load_checkpoint(str(path))
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        CheckpointLoader.load_checkpoint('nowhere.pth')
