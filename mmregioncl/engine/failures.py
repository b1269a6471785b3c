"""Errors of a run that PyTorch reports without their cause."""
import re
from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.dist import get_rank

# What PyTorch says, the cause, and what to do
CAUSES = (
    (r'DataLoader worker.*(killed by signal: Killed|exited unexpectedly)',
     'a data worker was killed, most likely because memory ran out',
     'lower train_dataloader.num_workers or batch_size'),
    (r'DataLoader worker.*(Bus error|shared memory)|unable to mmap|No space '
     r'left on device.*shm', 'shared memory ran out',
     'raise the limit of the container, as by docker --shm-size, or lower '
     'train_dataloader.num_workers'),
    (r'DataLoader timed out', 'no batch came for train_dataloader.timeout',
     'look at the storage of the data'),
    (r'CUDA out of memory|DefaultCPUAllocator: (can.t allocate|not enough) '
     r'memory', 'memory ran out',
     'lower train_dataloader.batch_size, or use --amp or '
     'mmregioncl.GradientCheckpointHook'),
    (r'Connection (closed by peer|reset by peer|refused)|Broken pipe|Socket '
     r'closed|[Tt]imed out waiting|Watchdog caught collective|recv.*failed|'
     r'NCCL error', 'another process ended or hangs',
     'look for the first error in the logs of all of them'),
)  # yapf: disable


@contextmanager
def named_failures() -> Iterator[None]:
    """Say the rank and the cause of errors that PyTorch leaves unexplained.

    Raises:
        RuntimeError: In the place of PyTorch's.
    """
    try:
        yield
    except (RuntimeError, torch.OutOfMemoryError) as error:
        for pattern, cause, advice in CAUSES:
            if re.search(pattern, str(error)):
                raise RuntimeError(
                    f'rank {get_rank()}: {cause}: {advice}') from error
        raise
