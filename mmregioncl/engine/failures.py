"""How errors reach a user: with their cause, without a needless traceback."""
import os
import re
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from threading import current_thread, main_thread
from types import TracebackType
from typing import Any, Callable, Optional

from mmengine.dist import get_rank
from torch import distributed

from .mistakes import explain_mistake, failure_of

LOST = 'another process ended or hangs'
# What PyTorch says, the cause, and what to do
CAUSES = (
    (r'DataLoader worker.*(Bus error|shared memory)|unable to mmap|'
     r'</torch_.*No space left on device', 'shared memory ran out',
     'raise the limit of the container, as by docker --shm-size, or lower '
     'num_workers or prefetch_factor of train_dataloader'),
    (r'^Caught \w*MemoryError in DataLoader worker',
     'memory ran out in a data worker',
     'lower train_dataloader.num_workers or batch_size'),
    (r'DataLoader worker.*(killed by signal|exited unexpectedly)',
     'a data worker was killed, most likely because memory ran out',
     'lower train_dataloader.num_workers or batch_size'),
    (r'DataLoader timed out', 'no batch came for train_dataloader.timeout',
     'look at the storage of the data'),
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

# Shows the traceback of every error if it is set
TRACEBACK = 'MMREGIONCL_TRACEBACK'


def hide_tracebacks() -> None:
    """Let refusals end this process with their sentence alone.

    So do settings and files that other packages refuse. Other errors keep
    their traceback. For all to have one, set the environment variable
    ``MMREGIONCL_TRACEBACK`` to anything.
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
    else:
        sys.__excepthook__(kind, error, trace)


def is_refusal(error: BaseException) -> bool:
    """Whether an error is a sentence of this package that names the remedy.

    That is what a ``raise`` statement of the package or of its tools makes. It
    is none if it explains another error, which says where that happened.
    """
    explained = isinstance(error, RuntimeError) and error.__cause__
    if not isinstance(error, Exception) or explained or not error.args:
        return False
    failure = failure_of(error)
    return not failure.in_worker and failure.is_raised() and \
        failure.calls[-1].module.partition('.')[0] in ('mmregioncl',
                                                       '__main__')


def explain_failures(call: Callable[[], Any]) -> Any:
    """Say the rank and the cause of errors that PyTorch leaves unexplained.

    Processes that end because one of them failed say what it said.

    Args:
        call (Callable): Trains, as ``runner.train``. Its result is returned.

    Raises:
        RuntimeError: In the place of PyTorch's.
    """
    try:
        try:
            return call()
        except BaseException:
            # A dying worker may raise an error of its own here.
            forget_workers()
            raise
    except BaseException as error:
        forget_workers()
        if not isinstance(error, Exception):  # it was told to stop
            raise
        rank = os.environ.get('RANK', get_rank())
        reason = explain(error)
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


def note_failure(told: str) -> None:
    """Leave word of a failure for other processes."""
    with suppress(RuntimeError):  # that which keeps the store may have ended
        if distributed.is_initialized():
            store().compare_set(NOTE, '', told)


def first_failure() -> Optional[str]:
    """What a process that failed has said; None if it could not."""
    with suppress(RuntimeError):
        if distributed.is_initialized() and store().check([NOTE]):
            return store().get(NOTE).decode()
    return None


def store() -> 'distributed.Store':
    """What the processes have in common; one that is lost is not waited
    for."""
    common = distributed.distributed_c10d._get_default_store()
    common.set_timeout(timedelta(seconds=10))
    return common


def forget_workers() -> None:
    """Stop PyTorch from raising an error when a data worker ends.

    It does so at any moment, as while the first error is printed.
    """
    if hasattr(signal, 'SIGCHLD') and current_thread() is main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def explain(error: Exception) -> Optional[str]:
    """The cause of an error and what to do; None if it is not known."""
    text = str(error)
    if isinstance(error, MemoryError) and not text.startswith('Caught '):
        text = f'{type(error).__name__}: {text}'
    elif isinstance(error, (ConnectionError, EOFError)):
        # The pipe of a worker has ended.
        text = 'DataLoader worker exited unexpectedly'
    elif not isinstance(error, (RuntimeError, MemoryError)):
        return None
    # "Caught ..." repeats the error of a worker, with its traceback. Only
    # those of memory are not the user's.
    causes = CAUSES[:2] if text.startswith('Caught ') else CAUSES
    for pattern, cause, advice in causes:
        if re.search(pattern, text):
            return f'{cause}: {advice}'
    return None
