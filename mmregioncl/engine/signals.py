"""Signals by which a cluster tells a job to stop."""
import os
import signal
from threading import Thread

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ('SIGTERM', 'SIGUSR1')
    if hasattr(signal, name))  # Windows lacks the second
listening = False  # whether forked processes outlive signals


def outlive_in_workers() -> None:
    """Let data workers that start from now on serve the last step.

    Clusters signal every process of a job. PyTorch's workers would end at
    once, and the process that trains would fail in the middle of a step. A
    signal from that process, which ends its workers, is obeyed. Workers that
    are spawned, not forked, are as before.
    """
    global listening
    # Not on macOS and Windows
    if hasattr(signal, 'sigwaitinfo') and not listening:
        listening = True
        os.register_at_fork(after_in_child=listen)


def listen() -> None:
    """Block the signals, and wait for them in a thread.

    Python does not tell handlers who sent a signal; ``sigwaitinfo`` does.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    Thread(target=obey_parent, daemon=True).start()


def obey_parent() -> None:
    """End at a signal of the parent; ignore others."""
    while signal.sigwaitinfo(STOP_SIGNALS).si_pid != os.getppid():
        pass
    os._exit(0)
