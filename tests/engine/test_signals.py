import os
import signal
import time

from torch.utils.data import DataLoader, Dataset

from mmregioncl.engine.signals import outlive_in_workers


class Slow(Dataset):

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> int:
        time.sleep(0.02)
        return index


def test_workers_outlive_signals_but_obey_their_parent():
    """Any workers, such as those of an evaluation."""
    outlive_in_workers()
    outlive_in_workers()  # once is enough
    batches = iter(DataLoader(Slow(), 2, num_workers=2, prefetch_factor=1))
    next(batches)
    for worker in batches._workers:
        # Not from this process, whose signals workers obey
        for name in ('INT', 'TERM', 'USR1'):
            os.system(f'kill -{name} {worker.pid}')
    assert len([*batches]) == 5
    worker = batches._workers[0]
    begin = time.monotonic()
    worker.terminate()
    worker.join(10)
    assert worker.exitcode is not None and time.monotonic() - begin < 5
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
