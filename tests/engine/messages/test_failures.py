import os
import signal
import time
from multiprocessing import Pipe
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from mmengine.dist import all_reduce, get_rank
from torch._utils import ExceptionWrapper
from torch.distributed import HashStore

from mmregioncl import causes
from mmregioncl.causes import is_refusal
from mmregioncl.engine.messages import failures
from mmregioncl.engine.messages.failures import explain_failures
from mmregioncl.validation import check_whole_number
from ranks import Ranks

DEADLY = """
import os, signal
from torch.utils.data import DataLoader, Dataset
from mmregioncl.engine.messages.failures import explain_failures

class Deadly(Dataset):  # as if the kernel had run out of memory

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return index

explain_failures(
    lambda: list(DataLoader(Deadly(), batch_size=2, num_workers=1)))
"""


def test_a_killed_worker_is_explained(run_python):
    done = run_python('-c', DEADLY, check=False)
    assert done.returncode == 1
    assert ('Explained: rank 0: a data worker was killed, most likely because '
            'memory ran out: lower train_dataloader.num_workers or '
            'train_dataloader.batch_size') in done.stderr


def test_a_worker_that_ends_while_another_error_is_handled(monkeypatch):
    killed = RuntimeError('DataLoader worker (pid 7) is killed by signal: '
                          'Killed. ')
    monkeypatch.setattr(failures, 'forget_workers',
                        Mock(side_effect=[killed, *[None] * 3]))
    with pytest.raises(RuntimeError, match='rank 0: a data worker was killed'):
        explain_failures(Mock(side_effect=IndexError))
    caught = IndexError('of code that it has interrupted')
    caught.__context__ = ValueError()
    caught.__context__.__context__ = killed
    with pytest.raises(RuntimeError, match='rank 0: a data worker was killed'):
        explain_failures(Mock(side_effect=caught))


def test_memory_that_is_not_there_is_explained():
    with pytest.raises(
            RuntimeError,
            match='rank 0: memory ran out: lower .*'
            'GradientCheckpointHook'):
        explain_failures(lambda: torch.empty(2**60))


@pytest.mark.parametrize('text, cause', [
    ('[../gloo/transport/tcp/pair.cc:534] Connection closed by peer '
     '[127.0.0.1]:1234', 'another process ended or hangs'),
    ('[Rank 3] Watchdog caught collective operation timeout: WorkNCCL(...)',
     'another process ended or hangs'),
    ('DataLoader worker (pid 7) is killed by signal: Bus error. It is '
     'possible that workers are out of shared memory.',
     'shared memory ran out'),
    ('unable to write to file </torch_1_2>: No space left on device (28)',
     'shared memory ran out'),
    ('Caught RuntimeError in DataLoader worker process 0.\nOriginal Trace...\n'
     'RuntimeError: unable to allocate shared memory(shm) for file '
     '</torch_8_5_1>: No space left on device (28)', 'shared memory ran out'),
    ('CUDA error: out of memory', 'memory ran out'),
    ('DataLoader worker (pid 7) is killed by signal: Terminated. ',
     'a data worker was told to stop: look for the first error'),
    ('DataLoader timed out after 3 seconds', 'no batch arrived '),
    ("NCCL error in: ..., Last error:\nCuda failure 2 'out of memory'",
     'memory ran out'),
    ('Caught _ArrayMemoryError in DataLoader worker process 0.\nOriginal ...',
     'memory ran out in a data worker: lower train_dataloader.num_workers'),
])
def test_other_failures_are_explained(text, cause, monkeypatch):
    monkeypatch.setattr(causes, 'get_world_size', lambda: 2)
    with pytest.raises(RuntimeError, match=f'^rank 0: {cause}'):
        explain_failures(Mock(side_effect=RuntimeError(text)))


def test_memory_of_python_is_explained():
    with pytest.raises(RuntimeError, match='^rank 0: memory ran out: lower'):
        explain_failures(lambda: bytearray(2**60))


def fail(rank: int, error: Exception, folder: Path) -> None:
    """Let a rank fail while all exchange numbers; keep what each says."""

    def exchange() -> None:
        for step in range(100):
            if get_rank() == rank and step == 2:
                if error is TimeoutError:  # as a disk that hangs
                    time.sleep(60)
                if error is None:  # as if the kernel had run out of memory
                    os.kill(os.getpid(), signal.SIGKILL)
                raise error
            all_reduce(torch.ones(2))

    try:
        explain_failures(exchange)
    except Exception as said:
        (folder / f'{get_rank()}').write_text(str(said))
    os._exit(1)


@pytest.mark.slow
@pytest.mark.parametrize('error, said', [
    (torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 9 GiB.'),
     'memory ran out: lower train_dataloader.batch_size'),
    (MemoryError(), 'memory ran out: lower train_dataloader.batch_size'),
    (KeyError('depth'), "KeyError: 'depth'"),
])
def test_other_ranks_say_what_one_has_said(error, said, tmp_path):
    assert Ranks(2).end(fail, 1, error, tmp_path) == [1, 1]
    assert (tmp_path / '0').read_text().startswith(
        f'rank 0: another process ended: rank 1: {said}')
    own = (tmp_path / '1').read_text()
    explained = not isinstance(error, KeyError)
    assert own.startswith(f'rank 1: {said}' if explained else str(error))


@pytest.mark.slow
@pytest.mark.parametrize('rank', [0, 1])  # the first keeps PyTorch's store
def test_other_ranks_end_with_one_that_is_killed(rank, tmp_path):
    codes = Ranks(2).end(fail, rank, None, tmp_path)
    assert codes[rank] == -signal.SIGKILL and codes[1 - rank] == 1
    assert (tmp_path / f'{1 - rank}').read_text().startswith(
        f'rank {1 - rank}: another process ended or hangs: look for the first')


@pytest.mark.slow
def test_ranks_wait_for_one_that_hangs_for_a_set_time(tmp_path):
    """As of env_cfg.dist_cfg.timeout."""
    pool = Ranks(2, timeout=2)
    pool.start()
    for _, calls in pool.processes:
        calls.send((fail, (1, TimeoutError, tmp_path), {}))
    waits, _ = pool.processes[0]
    waits.join(30)
    pool.stop()
    assert waits.exitcode == 1
    assert (tmp_path / '0').read_text().startswith(
        'rank 0: another process ended or hangs: look for the first')


def test_the_first_failure_is_kept(monkeypatch):
    monkeypatch.setattr(failures.distributed, 'is_initialized', lambda: True)
    monkeypatch.setattr(failures, 'store', lambda common=HashStore(): common)
    assert failures.first_failure() is None
    for told in ('first', 'second'):
        failures.note_failure(told)
    assert failures.first_failure() == 'first'


def test_an_interrupt_stays_what_it_is():
    with pytest.raises(KeyboardInterrupt):
        explain_failures(Mock(side_effect=KeyboardInterrupt))


def test_a_lost_pipe_of_a_worker_is_explained():
    ours, workers = Pipe()
    workers.close()
    pinned = ConnectionResetError('Caught ConnectionResetError in pin memory '
                                  'thread ... /multiprocessing/connection.py')
    for call in (ours.recv, lambda: ours.send(0), Mock(side_effect=pinned)):
        with pytest.raises(RuntimeError, match='0: a data worker was killed'):
            explain_failures(call)


def test_other_errors_stay_what_they_are():
    worker = 'Caught BrokenPipeError in DataLoader worker process 0. ...'
    for error in (
            ValueError('Connection closed by peer'),
            RuntimeError('shapes differ'),
            RuntimeError('Timed out waiting for my lock'),  # of one process
            RuntimeError(worker),
            EOFError('No data left in file'),  # of np.load
            ConnectionRefusedError(111, 'Connection refused'),
            BrokenPipeError(32, 'Broken pipe')):  # of stdout
        with pytest.raises(type(error)) as info:
            explain_failures(Mock(side_effect=error))
        assert info.value is error


def outcome(call, *args) -> Exception:
    with pytest.raises(Exception) as info:
        call(*args)
    return info.value


def test_refusals_are_raised_by_a_statement_of_the_package():
    refused = outcome(check_whole_number, 'interval', -1, 'A')
    mistaken = outcome(check_whole_number, 'interval', 1, 'A', 'low')
    explained = outcome(explain_failures, lambda: torch.empty(2**60))
    assert is_refusal(refused)
    others = outcome(Mock(side_effect=ValueError('not a sentence')))
    try:
        check_whole_number('interval', -1, 'A')
    except ValueError:
        repeated = outcome(
            ExceptionWrapper(where='in DataLoader worker process 0').reraise)
    assert not any(map(is_refusal, (mistaken, explained, others, repeated)))


def test_refusals_are_printed_as_they_are(capsys, monkeypatch):
    monkeypatch.setattr(failures, 'explain_mistake', explained := Mock())
    refused = outcome(check_whole_number, 'interval', -1, 'A')
    failures.print_error(type(refused), refused, refused.__traceback__)
    assert capsys.readouterr().err == f'{refused}\n'
    assert not explained.called


def test_ctrl_c_prints_no_traceback(capsys):
    failures.print_error(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == 'interrupted\n'
