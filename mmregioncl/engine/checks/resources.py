"""Check memory and disk space before training."""
import math
import os
import shutil
from pathlib import Path
from typing import List

from mmengine.hooks import CheckpointHook
from torch import Tensor

from ..batches import images_per_batch
from ..launch import cores_per_process, local_processes
from ..step_memory import (estimate_step, free_memory, missing_states, present,
                           readable, size_of)

SHARED_MEMORY = '/dev/shm'
# More bytes for each byte of the views than any network needs
MOST_PER_BYTE = 3000


def check_memory(runner, views: List[Tensor]) -> None:
    """Warn if a step needs more memory than is free.

    The check takes about a second for a ResNet-50. It is skipped if the batch
    is so small that any step fits.

    Args:
        runner (Runner): A run whose model is ready for the first step.
        views (list[Tensor]): Of one image, shape (1, C, H, W) each.
    """
    batch = images_per_batch(runner.train_dataloader)
    free = free_memory(views[0].device)
    if free is None or free > MOST_PER_BYTE * batch * size_of(views):
        return
    try:
        need = estimate_step(runner, views, batch) - present(runner)
        if need <= free:
            return
        more = estimate_step(runner, views, batch + 2) - present(runner)
    except Exception:  # a step that depends on values cannot be estimated
        return
    per_image = (more - need) / 2
    fits = batch - math.ceil((need - free) / max(1, per_image))
    fits = fits // 2 * 2
    smaller = f'batch_size={batch} to {fits}' if fits > 0 else \
        f'batch_size={batch} and the size of the views lower'
    runner.logger.warning(
        f'a step takes about {readable(need)} of memory and '
        f'{readable(free)} are free: set train_dataloader.{smaller}, or '
        'add mmregioncl.GradientCheckpointHook')


def check_shared_memory(runner, sample: dict) -> None:
    """Warn if prefetched batches may not fit into shared memory.

    Containers often have only 64 MB.

    Args:
        runner (Runner): The run.
        sample (dict): A loaded image of its training set.
    """
    loader = runner.train_dataloader
    batches = loader.num_workers * (loader.prefetch_factor or 0)
    if not batches or not os.path.isdir(SHARED_MEMORY):
        return  # macOS has no such limit
    most = batches * images_per_batch(loader) * size_of([sample]) * \
        local_processes()
    free = shutil.disk_usage(SHARED_MEMORY).free
    if most > free:
        runner.logger.warning(
            f'prefetched batches may take {readable(most)} of shared memory, '
            f'and {readable(free)} are free: raise the limit of the '
            'container, for example with docker --shm-size, or lower '
            'num_workers or prefetch_factor of train_dataloader')


def check_workers(runner) -> None:
    """Warn once about too many workers; PyTorch would warn for each loader."""
    workers, cores = runner.train_dataloader.num_workers, cores_per_process()
    if workers > cores:
        runner.logger.warning(
            f'{workers} data workers on {cores} processor cores per process '
            'take memory and are rarely faster: set '
            f'train_dataloader.num_workers={cores}')


def check_disk(runner) -> None:
    """Warn if the checkpoints do not fit on the disk."""
    size = present(runner) + missing_states(runner)
    for hook in runner.hooks:
        folder = Path(getattr(hook, 'out_dir', None) or '')
        if not isinstance(hook, CheckpointHook) or not folder.is_dir():
            continue
        steps = runner.max_epochs if hook.by_epoch else runner.max_iters
        kept = steps // hook.interval if hook.interval > 0 else 1
        if hook.max_keep_ckpts > 0:
            kept = min(kept, hook.max_keep_ckpts)
        kept += getattr(hook, 'keep_timed', 0) + len(hook.save_best or [])
        kept += 1  # the next one is written before the oldest is removed
        there = sum(path.stat().st_size for path in folder.glob('*.pth')
                    if path.is_file())  # no broken link
        free = shutil.disk_usage(folder).free
        if kept * size > free + there:
            runner.logger.warning(
                f'up to {kept} checkpoints of {readable(size)} do not fit into'
                f' {folder}, where {readable(free)} are free: make '
                'room, or lower default_hooks.checkpoint.max_keep_ckpts')
