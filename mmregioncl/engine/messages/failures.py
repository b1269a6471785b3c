"""Report errors with their cause, and without a needless traceback."""
import os
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from threading import current_thread, main_thread
from types import TracebackType
from typing import Any, Callable, Optional

from mmengine.dist import get_rank
from torch import distributed

from mmregioncl.causes import (LOST, TRAINING, dead_worker, explain_cause,
                               is_refusal)
from mmregioncl.host import TRACEBACK
from .mistakes import explain_mistake

NOTE = 'mmregioncl/failure'  # key of the first failure in PyTorch's store


class Explained(RuntimeError):
    """An error of PyTorch, with its cause as a sentence."""


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
    elif isinstance(error, Explained):
        print(f'{error} ({TRACEBACK}=1 shows where)', file=sys.stderr)
    elif mistake := explain_mistake(error):
        print(f'{mistake} ({TRACEBACK}=1 shows where)', file=sys.stderr)
    elif kind is KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def explain_failures(call: Callable[[], Any]) -> Any:
    """Add rank and cause to errors that PyTorch leaves unexplained.

    A process that ends because another one failed repeats the message of that
    one.

    Args:
        call (Callable): Trains, like ``runner.train``. Its result is returned.

    Raises:
        Explained: Instead of PyTorch's error.
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
        reason = explain_cause(dead_worker(error) or error, TRAINING)
        if reason and reason.startswith(LOST):
            told = first_failure()
            reason = f'another process ended: {told}' if told else reason
        else:
            what = reason or explain_mistake(error) or \
                f'{type(error).__name__}: {error}'[:500]
            note_failure(f'rank {rank}: {what}')
        if reason is None:
            raise
        raise Explained(f'rank {rank}: {reason}') from error


def forget_workers() -> None:
    """Stop PyTorch from raising an error when a data worker ends.

    That can happen at any time, even while the first error is printed.
    """
    if current_thread() is main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


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
