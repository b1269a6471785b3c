"""Checks before training that raise an error or log a warning."""
from copy import copy
from os.path import exists, expanduser

import numpy as np
from mmengine import fileio
from mmengine.hooks import CheckpointHook
from mmengine.optim.scheduler.param_scheduler import INF
from torch import nn

from mmregioncl.datasets.measure import sample_files, uses_range
from mmregioncl.datasets.nested import innermost
from mmregioncl.datasets.transforms import channels_of, check_channels
from mmregioncl.datasets.transforms.bands import read_values
from mmregioncl.models.utils import check_weights
from mmregioncl.models.utils.modules import unwrap


def check_batches(runner) -> None:
    """Check that the training set makes at least one batch.

    Raises:
        ValueError: If it does not.
    """
    loader = runner.train_dataloader
    if len(loader) == 0:
        raise ValueError(
            f'{len(loader.dataset)} images do not make one batch of '
            f'{loader.batch_size} on {runner.world_size} process(es): '
            'lower train_dataloader.batch_size, or add images')


def check_images(dataset) -> None:
    """Check that annotated images exist.

    Looks for the first, middle and last image of each innermost data set.

    Raises:
        FileNotFoundError: If one is missing.
    """
    for part in innermost(dataset):
        for index in {0, len(part) // 2, len(part) - 1}:
            path = part.get_data_info(index).get('img_path')
            if isinstance(path, str) and '://' not in path and not exists(
                    expanduser(path)):
                raise FileNotFoundError(
                    f'the annotations name {path}, which is not there: set '
                    'data_prefix of the data set in train_dataloader')


def check_bands(runner) -> None:
    """Check that transforms and model fit the channels that are loaded.

    Raises:
        ValueError: If one does not.
    """
    model = unwrap(runner.model)
    preprocessor = model.data_preprocessor
    layers = (
        part for part in model.backbone.modules()
        if isinstance(part, nn.Conv2d))
    first = next(layers, None)
    for part in innermost(runner.train_dataloader.dataset):
        channels = channels_of(part.pipeline)
        if channels is None:
            continue
        check_channels(part.pipeline)
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
        if first is not None and first.in_channels != channels:
            raise ValueError(
                f'the backbone takes {first.in_channels} channel(s), and '
                f'LoadImage loads {channels}: set model.backbone.in_channels='
                f'{channels}')


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


def check_queue(runner) -> None:
    """Warn if the queue holds at least as many keys as there are images."""
    images = len(runner.train_dataloader.dataset)
    queue_len = getattr(unwrap(runner.model), 'queue_len', 0)
    if queue_len >= images:
        runner.logger.warning(f'queue_len={queue_len} for {images} images: an '
                              'image meets its own old keys as negatives; set '
                              'model.queue_len below their number')


def check_schedule(runner) -> None:
    """Warn if the learning rate schedule does not end with the run."""
    schedulers = runner.param_schedulers
    if isinstance(schedulers, dict):  # several optimizers
        schedulers = sum(schedulers.values(), [])
    length = len(runner.train_dataloader)
    last, end = None, 0  # the one that ends last, and its last step
    for scheduler in schedulers or []:
        steps = scheduler.end * (length if scheduler.by_epoch else 1)
        if steps >= end:
            last, end = scheduler, steps
    if last is None or last.end >= INF:
        return
    setting = 'max_epochs' if last.by_epoch else 'max_iters'
    total = getattr(runner, setting)
    if last.end != total:
        runner.logger.warning(
            f'the learning rate is scheduled for {last.end} of {total} '
            f'{setting[4:]}: set T_max and end of param_scheduler to '
            f'train_cfg.{setting}')


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
