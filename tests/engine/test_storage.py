import os
import shutil
import signal
import time
from multiprocessing import get_context
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
from mmengine.fileio import get_file_backend

from mmregioncl.engine.storage import find_checkpoint


@pytest.fixture
def backend():
    return get_file_backend(backend_args=dict(backend='mmregioncl.atomic'))


def test_file_is_replaced(backend, tmp_path):
    path = tmp_path / 'new' / 'a.pth'
    for content in (b'first', b'second'):
        backend.put(content, path)
        assert path.read_bytes() == content
    with open(path, 'rb') as before:  # which is not written into
        backend.put(b'third', path)
        assert before.read() == b'second'
    assert list(path.parent.iterdir()) == [path]


def test_kill_while_writing_keeps_the_old_file(backend, tmp_path):
    path, part = tmp_path / 'a.pth', tmp_path / 'a.pth.part'
    backend.put(b'old', path)
    process = get_context('fork').Process(
        target=lambda: backend.put(bytes(2**29), path))
    process.start()
    while process.is_alive() and not part.exists():
        time.sleep(0.001)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL  # not done yet
    assert path.read_bytes() == b'old'


@pytest.fixture
def work_dir(tmp_path):
    """Work dir of a run that wrote epochs 8 to 10."""
    for epoch in (8, 9, 10):
        write(tmp_path / f'epoch_{epoch}.pth', f'20260101_0000{epoch:02d}')
    (tmp_path / 'last_checkpoint').write_text('/moved/epoch_10.pth')
    return tmp_path


def write(path, time: str, step: int = 1) -> None:
    torch.save(dict(meta=dict(time=time, iter=step), optimizer={}), path)


def test_the_best_is_not_resumed(work_dir):
    """It has no optimizer."""
    meta = dict(time='20260101_000099', iter=99)
    torch.save(dict(meta=meta), work_dir / 'best_top1_epoch_99.pth')
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_10.pth')


def test_last_checkpoint_of_a_copied_folder_is_found(work_dir):
    for epoch in (8, 9, 10):
        os.utime(work_dir / f'epoch_{epoch}.pth', (20 - epoch, 20 - epoch))
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_10.pth')


def test_checkpoint_newer_than_the_note_is_found(work_dir):
    write(work_dir / 'epoch_11.pth', '20260101_000011')
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_11.pth')


def test_older_checkpoints_are_left_out(work_dir):
    newest = str(work_dir / 'epoch_10.pth')
    assert find_checkpoint(work_dir, '20260101_000010') == newest
    assert find_checkpoint(work_dir, '20260101_000011') is None


def test_checkpoints_of_an_earlier_run_are_skipped(work_dir):
    write(work_dir / 'epoch_1.pth', '20260102_000000')
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_1.pth')
    write(work_dir / 'iter_7.pth', '20260102_000000', 7)  # the same second
    assert find_checkpoint(work_dir) == str(work_dir / 'iter_7.pth')


def test_checkpoints_of_other_names_are_found(work_dir):
    write(work_dir / 'ck_3.pth', '20260103_000000')
    assert find_checkpoint(work_dir) == str(work_dir / 'ck_3.pth')


def test_checkpoints_may_be_written_to_another_folder(work_dir,
                                                      tmp_path_factory):
    """By CheckpointHook(out_dir=...)."""
    run = tmp_path_factory.mktemp('run')
    written = str(work_dir / 'epoch_10.pth')
    (run / 'last_checkpoint').write_text(written)
    assert find_checkpoint(run) == written
    write(run / 'epoch_1.pth', '20250101_000000')  # of an earlier run
    assert find_checkpoint(run, since='20250102_000000') == written


def test_a_copy_does_not_go_on_with_the_original(work_dir, tmp_path_factory):
    """As of a run that shall branch off at an earlier epoch."""
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_10.pth'))
    copied = tmp_path_factory.mktemp('copied')
    for name in ('epoch_8.pth', 'last_checkpoint'):
        shutil.copy(work_dir / name, copied)
    assert find_checkpoint(copied) == str(copied / 'epoch_8.pth')


def test_truncated_file_is_skipped(work_dir):
    path = work_dir / 'epoch_10.pth'
    path.write_bytes(path.read_bytes()[:-100])
    shutil.copy(work_dir / 'epoch_9.pth', work_dir / 'epoch_11.pth.part')
    torch.save({}, work_dir / 'weights.pth')
    with ZipFile(work_dir / 'epoch_12.pth', 'w', ZIP_DEFLATED) as bomb:
        bomb.writestr('a', bytes(9))
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_9.pth')


def test_no_checkpoint(work_dir):
    assert find_checkpoint(work_dir / 'nowhere') is None
    for path in work_dir.glob('*.pth'):
        path.write_bytes(b'')
    with pytest.raises(FileNotFoundError, match='/moved/epoch_10.pth, but'):
        find_checkpoint(work_dir)


@pytest.mark.parametrize('note', [b'', b'\xff\0', b'x' * 999, None])
def test_damaged_note_is_no_obstacle(work_dir, note):
    path = work_dir / 'last_checkpoint'
    path.unlink()
    path.mkdir() if note is None else path.write_bytes(note)
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_10.pth')
    for checkpoint in work_dir.glob('*.pth'):
        checkpoint.unlink()
    if note:
        with pytest.raises(FileNotFoundError, match='pass one to --resume'):
            find_checkpoint(work_dir)
    else:
        assert find_checkpoint(work_dir) is None
