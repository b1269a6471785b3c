"""Handle the signals with which a cluster, or Ctrl-C, stops a job."""
import os
import signal
from contextlib import contextmanager
from threading import Thread
from typing import Iterator

STOP_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1
listening = False  # whether forked processes ignore the signals


def outlive_in_workers() -> None:
    """Keep data workers alive until the current step is done.

    Clusters and terminals signal every process of a job. PyTorch's workers
    would exit at once, and the training process would fail in the middle of a
    step. Workers that start after this call obey signals of the training
    process only. Workers that are spawned instead of forked do not change.
    """
    global listening
    if hasattr(signal, 'sigwaitinfo') and not listening:  # not on macOS
        listening = True
        os.register_at_fork(after_in_child=listen)


@contextmanager
def handlers_restored() -> Iterator[None]:
    """Handle the signals as before afterwards, even if training fails."""
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def listen() -> None:
    """Block the signals, and wait for them in a thread.

    Python's handlers do not know the sender of a signal, ``sigwaitinfo`` does.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    Thread(target=obey_parent, daemon=True).start()


def obey_parent() -> None:
    """Exit at a signal from the parent, and ignore other signals."""
    while signal.sigwaitinfo(STOP_SIGNALS).si_pid != os.getppid():
        pass
    os._exit(0)
