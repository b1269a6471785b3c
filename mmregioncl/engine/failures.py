"""Errors of a run that PyTorch reports without their cause."""
import os
import re
from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.dist import get_rank

# What PyTorch says, the cause, and what to do
CAUSES = (
    (r'DataLoader worker.*(Bus error|shared memory)|unable to mmap|'
     r'</torch_.*No space left on device', 'shared memory ran out',
     'raise the limit of the container, as by docker --shm-size, or lower '
     'train_dataloader.num_workers'),
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


@contextmanager
def named_failures() -> Iterator[None]:
    """Say the rank and the cause of errors that PyTorch leaves unexplained.

    Raises:
        RuntimeError: In the place of PyTorch's.
    """
    try:
        yield
    except (RuntimeError, torch.OutOfMemoryError) as error:
        text = str(error)
        for pattern, cause, advice in CAUSES:
            # "Caught ..." repeats the error of a worker, with its traceback.
            if re.search(pattern, text) and not text.startswith('Caught '):
                rank = os.environ.get('RANK', get_rank())
                raise RuntimeError(
                    f'rank {rank}: {cause}: {advice}') from error
        raise
