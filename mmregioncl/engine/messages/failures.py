"""Report errors with their cause, and without a needless traceback."""
import linecache
import os
import re
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from threading import current_thread, main_thread
from traceback import format_tb, walk_tb
from types import TracebackType
from typing import Any, Callable, Optional

from mmengine.dist import get_rank, get_world_size
from torch import distributed

from mmregioncl.host import TRACEBACK
from .mistakes import explain_mistake

LOST = 'another process ended or hangs'
# What PyTorch says, the cause, and what to do
CAUSES = (
    (r'DataLoader worker.*(Bus error|shared memory)|unable to mmap|'
     r'</torch_.*No space left on device', 'shared memory ran out',
     'raise the limit of the container, for example with docker --shm-size, '
     'or lower num_workers or prefetch_factor of train_dataloader'),
    (r'^Caught \w*MemoryError in DataLoader worker',
     'memory ran out in a data worker',
     'lower train_dataloader.num_workers or batch_size'),
    # As by a scheduler or a launcher, of all processes of a job
    (r'DataLoader worker.*killed by signal: Terminated',
     'a data worker was told to stop',
     'look for the first error in the logs of all processes'),
    (r'DataLoader worker.*(killed by signal|exited unexpectedly)',
     'a data worker was killed, most likely because memory ran out',
     'lower train_dataloader.num_workers or batch_size'),
    (r'DataLoader timed out',
     'no batch arrived within train_dataloader.timeout',
     'check the storage of the data'),
    (r'^\w*MemoryError: |(CUDA|Cuda) (error: |failure .*)?out of memory|'
     r'ALLOC_FAILED|DefaultCPUAllocator: .* memory', 'memory ran out',
     'lower train_dataloader.batch_size, or use --amp or '
     'mmregioncl.GradientCheckpointHook'),
    (r'Connection (closed by peer|reset by peer|refused)|Broken pipe|Socket '
     r'closed|[Tt]imed out waiting|Watchdog caught collective|recv.*failed|'
     r'NCCL error', LOST,
     'look for the first error in the logs of all of them'),
)  # yapf: disable
NOTE = 'mmregioncl/failure'  # key of the first failure in PyTorch's store


def hide_tracebacks() -> None:
    """Print errors that a setting or a file causes as one sentence.

    Other errors keep their traceback. To see the traceback of every error, set
    the environment variable ``MMREGIONCL_TRACEBACK`` to any value.
    """
    if not os.environ.get(TRACEBACK):
        sys.excepthook = print_error


def print_error(kind: type, error: BaseException,
                trace: Optional[TracebackType]) -> None:
    """Print an error that nothing has caught, as ``sys.excepthook``."""
    if is_refusal(error):
        text = error.args[0] if isinstance(error, KeyError) else error
        print(text, file=sys.stderr)
    elif mistake := explain_mistake(error):
        print(f'{mistake} ({TRACEBACK}=1 shows where)', file=sys.stderr)
    elif kind is KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def is_refusal(error: BaseException) -> bool:
    """Whether a ``raise`` statement of this package or its tools made an
    error.

    Its message says what to do. A RuntimeError raised from another error is
    not a refusal: the traceback shows the cause.
    """
    explained = isinstance(error, RuntimeError) and error.__cause__
    if not isinstance(error, Exception) or explained or not error.args:
        return False
    *_, (frame, line) = walk_tb(error.__traceback__)
    code = linecache.getline(frame.f_code.co_filename, line).strip()
    package = frame.f_globals.get('__name__', '').partition('.')[0]
    return code.startswith('raise ') and package in ('mmregioncl', '__main__')


def explain_failures(call: Callable[[], Any]) -> Any:
    """Add rank and cause to errors that PyTorch leaves unexplained.

    A process that ends because another one failed repeats the message of that
    one.

    Args:
        call (Callable): Trains, like ``runner.train``. Its result is returned.

    Raises:
        RuntimeError: Instead of PyTorch's error.
    """
    try:
        try:
            return call()
        except BaseException:
            # A dying worker may raise its own error here.
            forget_workers()
            raise
    except BaseException as error:
        forget_workers()
        if not isinstance(error, Exception):  # it received a stop signal
            raise
        rank = os.environ.get('RANK', get_rank())
        reason = explain(dead_worker(error) or error)
        if reason and reason.startswith(LOST):
            told = first_failure()
            reason = f'another process ended: {told}' if told else reason
        else:
            what = reason or explain_mistake(error) or \
                f'{type(error).__name__}: {error}'[:500]
            note_failure(f'rank {rank}: {what}')
        if reason is None:
            raise
        raise RuntimeError(f'rank {rank}: {reason}') from error


def dead_worker(error: BaseException) -> Optional[BaseException]:
    """The error of a dead data worker that led to another error.

    It may come at any time. Code that catches it, such as that of yapf, raises
    its own error.
    """
    while error and 'is killed by signal' not in str(error):
        error = error.__context__
    return error


def note_failure(told: str) -> None:
    """Tell the other processes why this one failed."""
    with suppress(RuntimeError):  # the process with the store may be gone
        if distributed.is_initialized():
            store().compare_set(NOTE, '', told)


def first_failure() -> Optional[str]:
    """The message of the process that failed first, if it left one."""
    with suppress(RuntimeError):
        if distributed.is_initialized() and store().check([NOTE]):
            return store().get(NOTE).decode()
    return None


def store() -> 'distributed.Store':
    """The store that all processes share, with a short timeout."""
    common = distributed.distributed_c10d._get_default_store()
    common.set_timeout(timedelta(seconds=10))
    return common


def forget_workers() -> None:
    """Stop PyTorch from raising an error when a data worker ends.

    That can happen at any time, even while the first error is printed.
    """
    if current_thread() is main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def explain(error: Exception) -> Optional[str]:
    """Return the cause of an error and what to do, None if unknown."""
    text = str(error)
    if isinstance(error, MemoryError) and not text.startswith('Caught '):
        text = f'{type(error).__name__}: {text}'
    elif isinstance(error, (ConnectionError, EOFError)) and \
            '/multiprocessing/' in text + ''.join(
                format_tb(error.__traceback__)):
        # The pipe of a worker has ended, maybe in the thread that pins memory.
        text = 'DataLoader worker exited unexpectedly'
    elif not isinstance(error, (RuntimeError, MemoryError)):
        return None
    # "Caught ..." repeats the error of a worker with its traceback. Only a
    # lack of memory is explained there.
    causes = CAUSES[:2] if text.startswith('Caught ') else CAUSES
    alone = get_world_size() == 1 and '/torch/distributed/' not in ''.join(
        format_tb(error.__traceback__))
    for pattern, cause, advice in causes:
        if re.search(pattern, text) and not (cause == LOST and alone):
            return f'{cause}: {advice}'
    return None
