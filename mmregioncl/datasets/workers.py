"""Worker processes of a loader when a job is told to stop."""
import os
import signal
from threading import Thread

STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
PATIENCE = 60  # seconds that a worker goes on after a signal
outliving = False  # whether this worker does


def outlive_signals() -> None:
    """Let this worker serve the last step of a run that is told to stop.

    Clusters signal every process of a job. PyTorch's workers would end at
    once, and the process that trains would fail in the middle of a step. A
    signal from that process, which ends its workers, is obeyed at once.
    """
    global outliving
    if outliving or not hasattr(signal, 'sigwaitinfo'):  # as on macOS
        return
    outliving = True
    # Python does not tell handlers who sent a signal, so a thread waits for
    # signals that are blocked everywhere else.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    Thread(target=wait_for_signals, daemon=True).start()


def wait_for_signals() -> None:
    """End at a signal of the parent, or a minute after another one."""
    while True:
        if signal.sigwaitinfo(STOP_SIGNALS).si_pid == os.getppid():
            os._exit(0)
        signal.alarm(PATIENCE)
