"""Errors of a run that PyTorch reports without their cause."""
import os
import re
import signal
from threading import current_thread, main_thread
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
