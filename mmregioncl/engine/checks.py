"""Checks before training that raise an error or log a warning."""
import math
import os
import shutil
from copy import copy
from pathlib import Path
from typing import List, Optional

import numpy as np
from mmengine import fileio
from mmengine.dataset import DefaultSampler
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.optim.scheduler.param_scheduler import INF
from torch import Tensor, nn
from torch.utils.data import BatchSampler

from mmregioncl.datasets.archives import is_missing
from mmregioncl.datasets.measure import sample_files, uses_range
from mmregioncl.datasets.nested import innermost
from mmregioncl.datasets.transforms import channels_of, check_color_steps
from mmregioncl.datasets.transforms.bands import read_values
from mmregioncl.files import printable
from mmregioncl.models.parents import DenseCL, MoCo
from mmregioncl.models.utils import check_weights
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.randomness import kept_draws
from .loops import SeededTrainLoop
from .metrics import all_schedulers, awaited, check_name, measured
from .step_memory import (estimate_step, free_memory, missing_states, present,
                          size_of)

GIB = 2**30
SHARED_MEMORY = '/dev/shm'
# Bytes of a step for each byte of its views, which no network needs
MOST_PER_BYTE = 3000


def last_batch(loader) -> Optional[int]:
    """Images of the last batch of an epoch, on this process.

    Returns:
        int or None: None if a batch sampler of another kind makes batches.
    """
    if type(loader.batch_sampler) is not BatchSampler:
        return None
    rest = 0
    if isinstance(loader.sampler, DefaultSampler) and not loader.drop_last:
        rest = len(loader.sampler) % loader.batch_size
    return rest or loader.batch_size


def check_batches(runner) -> None:
    """Check that the training set makes batches that the model takes.

    Raises:
        ValueError: If it does not make one, if processes get unequal ones, or
            if the last batch of an epoch is too small.
    """
    loader = runner.train_dataloader
    images = len(loader.dataset)
    if len(loader) == 0:
        raise ValueError(
            f'{images} images do not make one batch of '
            f'{loader.batch_size} on {runner.world_size} process(es): '
            'lower train_dataloader.batch_size, or add images')
    if not getattr(loader.sampler, 'round_up', True) and \
            images % runner.world_size:
        raise ValueError(
            f'{images} images do not spread evenly over {runner.world_size} '
            'processes, which would wait for each other forever: set '
            'train_dataloader.sampler.round_up=True')
    model, rest = unwrap(runner.model), last_batch(loader)
    least = getattr(model, 'least_batch', 1)
    if rest is not None and (rest < least or rest == 1 < loader.batch_size
                             and norms_vectors(model)):
        raise ValueError(
            f'the last batch of an epoch has {rest} of {loader.batch_size} '
            f'images, and {type(model).__name__} needs {max(least, 2)}: set '
            'train_dataloader.drop_last=True')


def norms_vectors(model: nn.Module) -> bool:
    """Whether batch norm sees vectors, which takes two images."""
    return any(type(part) is nn.BatchNorm1d for part in model.modules())


def check_channels(model: nn.Module, views: List[Tensor]) -> None:
    """Check that the views have the channels of the first convolution.

    Args:
        model (nn.Module): A pre-training algorithm.
        views (list[Tensor]): Shape (N, C, H, W) each.

    Raises:
        ValueError: If they have not.
    """
    first = next(
        (part
         for part in model.backbone.modules() if isinstance(part, nn.Conv2d)),
        None)
    channels = views[0].shape[1]
    if first is not None and first.in_channels != channels:
        raise ValueError(
            f'views have {channels} channels and the backbone takes '
            f'{first.in_channels}: set model.backbone.in_channels={channels}')


def check_memory(runner, views: List[Tensor]) -> None:
    """Warn if a step is going to take more memory than there is.

    It takes about a second for a ResNet-50, and nothing if the batch is so
    small that any step fits.

    Args:
        runner (Runner): A run whose model is ready for the first step.
        views (list[Tensor]): Of one image, shape (1, C, H, W) each.
    """
    batch = runner.train_dataloader.batch_sampler.batch_size
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
        f'a step takes about {need / GIB:.1f} GiB of memory and '
        f'{free / GIB:.1f} GiB are free: set train_dataloader.{smaller}, or '
        'add mmregioncl.GradientCheckpointHook')


def check_disk(runner) -> None:
    """Warn if the checkpoints that are kept do not fit on the disk."""
    size = present(runner) + missing_states(runner)
    for hook in runner.hooks:
        folder = Path(getattr(hook, 'out_dir', None) or '')
        if not isinstance(hook, CheckpointHook) or not folder.is_dir():
            continue
        steps = runner.max_epochs if hook.by_epoch else runner.max_iters
        kept = steps // hook.interval if hook.interval > 0 else 1
        if hook.max_keep_ckpts > 0:
            kept = min(kept, hook.max_keep_ckpts)
        kept += 1  # the next one is written before the oldest is removed
        there = sum(path.stat().st_size for path in folder.glob('*.pth'))
        free = shutil.disk_usage(folder).free
        if kept * size > free + there:
            runner.logger.warning(
                f'up to {kept} checkpoints of {size / GIB:.2f} GiB are kept in'
                f' {folder}, where {free / GIB:.2f} GiB are free: make room, '
                'or lower default_hooks.checkpoint.max_keep_ckpts')


def check_images(dataset, setting: str = 'train_dataloader') -> None:
    """Check that annotated images exist.

    Looks for the first, middle and last image of each innermost data set.

    Args:
        dataset (Dataset): The data set, with its wrappers.
        setting (str): Where it is set. Defaults to 'train_dataloader'.

    Raises:
        FileNotFoundError: If one is missing.
    """
    for part in innermost(dataset):
        for index in {0, len(part) // 2, len(part) - 1}:
            path = part.get_data_info(index).get('img_path')
            if isinstance(path, str) and is_missing(path):
                raise FileNotFoundError(
                    f'the annotations name {printable(path)}, which is not '
                    'there: set data_root or data_prefix of the data set in '
                    f'{setting}')


def check_bands(runner) -> None:
    """Check that transforms and preprocessor fit the channels of the images.

    Raises:
        ValueError: If one does not.
    """
    preprocessor = unwrap(runner.model).data_preprocessor
    for part in innermost(runner.train_dataloader.dataset):
        channels = channels_of(part.pipeline)
        if channels is None:
            continue
        check_color_steps(part.pipeline)
        if channels != 3 and getattr(preprocessor, '_channel_conversion', 0):
            raise ValueError(
                'data_preprocessor exchanges red and blue, and LoadImage '
                f'loads {channels} channel(s): set its bgr_to_rgb to False')
        mean = getattr(preprocessor, 'mean', [0])
        if len(mean) not in (1, channels):
            raise ValueError(
                f'mean and std of data_preprocessor have {len(mean)} values, '
                f'and LoadImage loads {channels} channel(s): set those that '
                'tools/analysis_tools/measure_images.py prints')


def check_depth(runner) -> None:
    """Check that images can be read, and that their values are not lost.

    Looks at a few images of each innermost data set. Warns if integers use
    less than a tenth of the range of their type.

    Raises:
        ValueError: If none can be read.
    """
    dataset = runner.train_dataloader.dataset
    reasons, reached = [], {}
    count = 0
    for count, (load, path) in enumerate(sample_files(dataset, 8), 1):
        load = copy(load)
        load.on_corrupt = 'raise'
        try:
            load(dict(img_path=path))
            content = fileio.get(path, backend_args=load.backend_args)
            values = read_values(content, getattr(load, 'channels', 3))
        except Exception as error:  # decoders may raise anything
            reasons.append(error)
            continue
        if getattr(load, 'value_range', None) is None:
            known = reached.get(values.dtype, values)
            reached[values.dtype] = np.maximum(known.max(), values.max())
    if reasons and len(reasons) == count:
        raise ValueError(f'none of {count} images that were tried can be read:'
                         f' {reasons[0]}')
    for kind, most in reached.items():
        if not uses_range(most):
            runner.logger.warning(
                f'images of type {kind} reach {most} of '
                f'{np.iinfo(kind).max}, so that few shades are left of them: '
                'set value_range of mmregioncl.LoadImage, which '
                'tools/analysis_tools/measure_images.py measures')


def check_shared_memory(runner) -> None:
    """Warn if the batches that workers prepare may not fit into shared memory.

    Containers often have 64 MB of it.
    """
    loader = runner.train_dataloader
    batches = loader.num_workers * (loader.prefetch_factor or 0)
    if not batches or not os.path.isdir(SHARED_MEMORY):
        return  # Windows and macOS have no such limit
    with kept_draws():
        size = size_of([loader.dataset[0]])
    processes = int(os.environ.get('LOCAL_WORLD_SIZE', 1))
    most = batches * loader.batch_size * size * processes
    free = shutil.disk_usage(SHARED_MEMORY).free
    if most > free:
        runner.logger.warning(
            f'prepared batches may take {most / 1e6:.0f} MB of shared memory, '
            f'of which {free / 1e6:.0f} MB are free: raise the limit of the '
            'container, as by docker --shm-size, or lower num_workers or '
            'prefetch_factor of train_dataloader')


def check_queue(runner) -> None:
    """Check the length of the queue against batches and data.

    It warns if the queue holds at least as many keys as there are images.

    Raises:
        ValueError: If it is not a multiple of the keys of a step, where the
            model needs that.
    """
    model, loader = unwrap(runner.model), runner.train_dataloader
    images = len(loader.dataset)
    queue_len = getattr(model, 'queue_len', 0)
    for batch in {loader.batch_size, last_batch(loader)} - {None}:
        keys = batch * runner.world_size
        if isinstance(model, (MoCo, DenseCL)) and queue_len % keys and \
                not hasattr(model, 'waiting_keys'):
            raise ValueError(
                f'queue_len={queue_len} of {type(model).__name__} is no '
                f'multiple of the {keys} keys of a step: set it to one, and '
                'train_dataloader.drop_last=True, or take RegionCL')
    if queue_len >= images:
        runner.logger.warning(f'queue_len={queue_len} for {images} images: an '
                              'image meets its own old keys as negatives; set '
                              'model.queue_len below their number')


def check_schedule(runner) -> None:
    """Warn if the learning rate schedule does not end with the run.

    Raises:
        ValueError: If a schedule would end the run.
    """
    length = len(runner.train_dataloader)
    last, until = None, 0  # the one that ends last, and its last step
    for scheduler in all_schedulers(runner):
        end = end_of(scheduler)
        setting = 'max_epochs' if scheduler.by_epoch else 'max_iters'
        total = getattr(runner, setting)
        if hasattr(scheduler, 'total_steps') and end < total:
            raise ValueError(
                f'total_steps={scheduler.total_steps} of '
                f'{type(scheduler).__name__} are less than the run has: set it'
                f' to {total - scheduler.begin}')
        never = [
            step for step in getattr(scheduler, 'milestones', {})
            if scheduler.begin + step >= total
        ]
        if never:
            runner.logger.warning(
                f'milestones={never} of {type(scheduler).__name__} come after '
                f'the end of the run: set them below train_cfg.{setting}')
        steps = end * (length if scheduler.by_epoch else 1)
        if steps >= until:
            last, until = scheduler, steps
    if last is None or end_of(last) >= INF:
        return
    setting = 'max_epochs' if last.by_epoch else 'max_iters'
    total = getattr(runner, setting)
    if end_of(last) != total:
        runner.logger.warning(
            f'the learning rate is scheduled for {end_of(last)} of {total} '
            f'{setting[4:]}: set T_max and end of param_scheduler to '
            f'train_cfg.{setting}')


def end_of(scheduler) -> int:
    """The step after which a schedule is complete.

    A cosine would rise again after T_max. Many configs set T_max to the end of
    the run in spite of a warm-up, which counts as meant.
    """
    begin, end = scheduler.begin, scheduler.end
    for name in ('T_max', 'total_steps'):
        span = getattr(scheduler, name, None)
        if span is not None and not end - begin <= span <= end:
            return begin + span
    return end


def check_metrics(runner) -> None:
    """Check that hooks and schedules wait for metrics that will come.

    Those of a validation loop are not known before it runs. Warns if early
    stopping comes late, or begins anew when the run is resumed.

    Raises:
        ValueError: If one would wait for ever.
    """
    if runner.val_loop is None:
        for setting, name in awaited(runner):
            check_name(setting, name, measured(runner))
    for hook in runner.hooks:
        if type(hook) is EarlyStoppingHook:
            runner.logger.warning(
                "MMEngine's EarlyStoppingHook forgets its patience when a run "
                'is resumed: set its type to mmregioncl.EarlyStoppingHook')
        if isinstance(hook, EarlyStoppingHook) and not isinstance(
                runner.train_loop, SeededTrainLoop):
            runner.logger.warning(
                f'{type(hook).__name__} stops an epoch late in a loop of '
                'MMEngine: set train_cfg.type to mmregioncl.SeededTrainLoop')


def check_kept_checkpoints(runner) -> None:
    """Warn if the only checkpoint is removed before the next is written.

    Ours writes first.
    """
    first = CheckpointHook._save_checkpoint_with_step
    if any(
            getattr(type(hook), '_save_checkpoint_with_step', None) is first
            and hook.max_keep_ckpts == 1 for hook in runner.hooks):
        runner.logger.warning(
            'max_keep_ckpts=1 removes the only checkpoint before the next '
            'is written, and a kill between leaves none: set '
            'default_hooks.checkpoint.max_keep_ckpts to 2 or more')


def check_checkpoint(runner, checkpoint: dict, strict: bool = True) -> None:
    """Check that a loaded checkpoint fits the run.

    Args:
        runner (Runner): The run.
        checkpoint (dict): The checkpoint.
        strict (bool): Whether its weights must be exactly those of the model.
            Defaults to True.

    Raises:
        ValueError: If a weight is missing, unexpected or misshapen, or if a
            run is resumed from less than a whole checkpoint.
    """
    if runner._resume:
        check_whole(runner, checkpoint)
    if strict:
        check_weights(
            unwrap(runner.model), checkpoint.get('state_dict', checkpoint))


def check_whole(runner, checkpoint: dict) -> None:
    """Check that a run can be resumed from a checkpoint.

    Raises:
        ValueError: If it holds weights only, or is damaged.
    """
    parts = dict(meta=dict, optimizer=dict, message_hub=dict)
    if runner.param_schedulers:
        parts['param_schedulers'] = type(runner.param_schedulers)
    bad = [
        name for name, kind in parts.items()
        if not isinstance(checkpoint.get(name), kind)
    ]
    if not bad:
        meta = checkpoint['meta']
        bad = [
            f'meta.{name}' for name in ('epoch', 'iter')
            if not isinstance(meta.get(name), int) or meta[name] < 0
        ]
    if bad:
        raise ValueError(
            f'cannot resume from {runner._load_from}, which holds no '
            f'{" and no ".join(bad)}: start anew from its weights by '
            'load_from, without --resume')
