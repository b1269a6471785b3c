"""How errors reach a user: with their cause, without a needless traceback."""
import linecache
import os
import re
import signal
import sys
import traceback
from threading import current_thread, main_thread
from types import TracebackType
from typing import Any, Callable, Optional

from mmengine.dist import get_rank

# What PyTorch says, the cause, and what to do
CAUSES = (
    (r'DataLoader worker.*(Bus error|shared memory)|unable to mmap|'
     r'</torch_.*No space left on device', 'shared memory ran out',
     'raise the limit of the container, as by docker --shm-size, or lower '
     'num_workers or prefetch_factor of train_dataloader'),
    (r'DataLoader worker.*(killed by signal|exited unexpectedly)',
     'a data worker was killed, most likely because memory ran out',
     'lower train_dataloader.num_workers or batch_size'),
    (r'DataLoader timed out', 'no batch came for train_dataloader.timeout',
     'look at the storage of the data'),
    (r'CUDA (error: )?out of memory|DefaultCPUAllocator: .* memory',
     'memory ran out',
     'lower train_dataloader.batch_size, or use --amp or '
     'mmregioncl.GradientCheckpointHook'),
    (r'Connection (closed by peer|reset by peer|refused)|Broken pipe|Socket '
     r'closed|[Tt]imed out waiting|Watchdog caught collective|recv.*failed|'
     r'NCCL error', 'another process ended or hangs',
     'look for the first error in the logs of all of them'),
)  # yapf: disable

# Shows the traceback of every error if it is set
VARIABLE = 'MMREGIONCL_TRACEBACK'


def hide_tracebacks() -> None:
    """Let refusals end this process with their sentence alone.

    Other errors keep their traceback. For all to have one, set the environment
    variable ``MMREGIONCL_TRACEBACK`` to anything.
    """
    if not os.environ.get(VARIABLE):
        sys.excepthook = print_error


def print_error(kind: type, error: BaseException,
                trace: Optional[TracebackType]) -> None:
    """Print an error that nothing has caught, as ``sys.excepthook``."""
    if is_refusal(error):
        text = error.args[0] if isinstance(error, KeyError) else error
        print(text, file=sys.stderr)
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
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    text = linecache.getline(frame.f_code.co_filename, line)
    place = frame.f_globals['__name__'].partition('.')[0]
    return place in ('mmregioncl', '__main__') and \
        text.lstrip().startswith('raise ')


def explain_failures(call: Callable[[], Any]) -> Any:
    """Say the rank and the cause of errors that PyTorch leaves unexplained.

    Args:
        call (Callable): Trains, as ``runner.train``. Its result is returned.

    Raises:
        RuntimeError: In the place of PyTorch's.
    """
    try:
        try:
            return call()
        except BaseException:
            forget_workers()
            raise
    except (RuntimeError, ConnectionError, EOFError) as error:
        reason = explain(error)
        if reason is None:
            raise
        rank = os.environ.get('RANK', get_rank())
        raise RuntimeError(f'rank {rank}: {reason}') from error


def forget_workers() -> None:
    """Stop PyTorch from raising an error when a data worker ends.

    It does so at any moment, as while the first error is printed.
    """
    if hasattr(signal, 'SIGCHLD') and current_thread() is main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def explain(error: Exception) -> Optional[str]:
    """The cause of an error and what to do; None if it is not known."""
    text = str(error)
    if not isinstance(error, RuntimeError):  # the pipe of a worker has ended
        text = 'DataLoader worker exited unexpectedly'
    # "Caught ..." repeats the error of a worker, with its traceback. Only that
    # of shared memory is not the user's.
    causes = CAUSES[:1] if text.startswith('Caught ') else CAUSES
    for pattern, cause, advice in causes:
        if re.search(pattern, text):
            return f'{cause}: {advice}'
    return None
