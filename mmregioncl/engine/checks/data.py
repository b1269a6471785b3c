"""Images, batches and views, before training."""
from copy import copy
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine import fileio
from mmengine.dataset import DefaultSampler, default_collate
from mmengine.dist import all_gather_object
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor, nn
from torch.utils.data import BatchSampler, Dataset

from mmregioncl.datasets.archives import is_missing
from mmregioncl.datasets.measure import sample_files, uses_range
from mmregioncl.datasets.nested import innermost, type_name, typed_dicts
from mmregioncl.datasets.transforms import channels_of, check_color_steps
from mmregioncl.datasets.transforms.augmentations import check_probability
from mmregioncl.datasets.transforms.bands import (fit_bands, has_fourth_band,
                                                  is_misread, read_values)
from mmregioncl.files import printable
from mmregioncl.models.parents import DenseCL, MoCo
from mmregioncl.models.utils import preprocess
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.randomness import kept_draws
from mmregioncl.validation import is_number, listed
from ..failures import is_refusal
from ..loops import images_per_batch
from ..step_memory import rehearse


def check_steps(runner) -> None:
    """Check that a pass over the training set has a step.

    Samplers without an end, for runs that count steps, fill any batch.

    Raises:
        ValueError: If it has none.
    """
    loader = runner.train_dataloader
    ends = isinstance(runner.train_loop, EpochBasedTrainLoop) or \
        isinstance(loader.sampler, DefaultSampler)
    if ends and len(loader) == 0:
        raise ValueError(
            f'{len(loader.dataset)} images do not make one batch of '
            f'{loader.batch_size} on {runner.world_size} process(es): '
            'lower train_dataloader.batch_size, or add images')


def check_batches(runner) -> None:
    """Check that the training set makes batches that the model takes.

    All processes have to call it.

    Raises:
        ValueError: If it does not make one, if processes get unequal ones, or
            if the last batch of an epoch is too small.
    """
    check_steps(runner)
    loader = runner.train_dataloader
    images = len(loader.dataset)
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
        enough = max(least, 2)
        remedy = 'drop_last=True' if loader.batch_size >= enough else \
            f'batch_size={enough} or more'
        raise ValueError(
            f'the last batch of an epoch has {rest} of {loader.batch_size} '
            f'images, and {type(model).__name__} needs {enough}: set '
            f'train_dataloader.{remedy}')
    check_equal(all_gather_object(describe_batches(loader)))


def describe_batches(loader) -> str:
    """What has to be the same on all processes, in words."""
    return (f'{len(loader)} batches of {images_per_batch(loader)}, the last of'
            f' {last_batch(loader) or "any number"}, from '
            f'{len(loader.dataset)} images')


def check_equal(batches: List[str]) -> None:
    """Check that all processes have equal batches.

    Otherwise they wait forever, or exchange the wrong rows.

    Args:
        batches (list[str]): :func:`describe_batches` of each process.

    Raises:
        ValueError: If one has others than the first.
    """
    for rank, own in enumerate(batches):
        if own != batches[0]:
            raise ValueError(
                f'rank {rank} has {own}, and rank 0 has {batches[0]}: give '
                'all processes the same data and batch_size in '
                'train_dataloader')


def count_samples(batch: Any) -> Optional[int]:
    """Images of a collated batch, None if that is not known."""
    if not isinstance(batch, dict):
        return None
    samples, inputs = batch.get('data_samples'), batch.get('inputs')
    if isinstance(samples, (list, tuple)) and samples:
        return len(samples)
    if samples is not None and not isinstance(samples, (list, tuple)):
        return None
    first = inputs[0] if isinstance(inputs, list) and inputs else None
    if isinstance(first, Tensor) and first.ndim == 4:
        return len(first)  # views (N, C, H, W)
    return None


def check_batch(runner, idx: int, batch: Any) -> None:
    """Check that a batch is what other processes expect.

    Those of other batch samplers are not checked.

    Args:
        runner (Runner): A run on several processes.
        idx (int): Number of the batch in the epoch, from 0.
        batch (Any): The batch.

    Raises:
        ValueError: If the batch has another number of images.
    """
    loader = runner.train_dataloader
    images, last = count_samples(batch), last_batch(loader)
    wanted = loader.batch_size if (idx + 1) % len(loader) else last
    if None not in (images, last) and images != wanted:
        raise ValueError(
            f'rank {runner.rank} has {images} images in step {runner.iter + 1}'
            f' and not {wanted}, as other processes expect: let data set and '
            'collate_fn of train_dataloader leave none out')


def check_epoch(runner, steps: int) -> None:
    """Check that an epoch had as many steps as on other processes.

    Loaders with other batch samplers are not checked.

    Args:
        runner (Runner): A run on several processes.
        steps (int): Steps of the epoch that has ended.

    Raises:
        ValueError: If it had fewer or more.
    """
    loader = runner.train_dataloader
    length = len(loader)
    if last_batch(loader) is not None and steps != length:
        raise ValueError(
            f'rank {runner.rank} has {steps} batches in epoch '
            f'{runner.epoch + 1} and not {length}, as other processes expect: '
            'let the sampler of train_dataloader give as many images as it '
            'has by len()')


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


def norms_vectors(model: nn.Module) -> bool:
    """Whether batch norm in neck or head sees vectors, of two images."""
    return any(
        type(part) is nn.BatchNorm1d for name, part in model.named_modules()
        if not name.startswith('backbone.'))


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
        if not hasattr(part, 'get_data_info'):  # one of PyTorch
            continue
        paths = [
            part.get_data_info(index).get('img_path')
            for index in (0, len(part) // 2, len(part) - 1)
        ]
        missing = [
            path for path in paths
            if isinstance(path, str) and is_missing(path)
        ]
        if not missing:
            continue
        if {*missing} < {*paths}:
            place = getattr(part, 'ann_file', '') or f'the list in {setting}'
            raise FileNotFoundError(
                f'{place} names {printable(missing[0])}, which is not there, '
                'and other images that are: correct the list, or add the '
                'image')
        raise FileNotFoundError(
            f'the annotations name {printable(missing[0])}, which is not '
            f'there: set data_root or data_prefix of the data set in {setting}'
        )


def check_evaluated(runner, dataset: Dataset, setting: str) -> None:
    """Check that images of an evaluation make batches that the model takes.

    Looks at a few of them.

    Args:
        runner (Runner): The run.
        dataset (Dataset): What a hook evaluates.
        setting (str): Where it is set, such as 'eval_datasets.test'.

    Raises:
        ValueError: If they do not.
        OSError: If one cannot be read.
    """
    rows = {*np.linspace(0, len(dataset) - 1, 8, dtype=int).tolist()}
    with kept_draws(), torch.no_grad():
        samples = [dataset[row] for row in sorted(rows)]
        if any('inputs' not in sample for sample in samples):
            raise ValueError(f'the pipeline of {setting} packs no images: end '
                             'it with mmregioncl.PackSelfSupInputs')
        shapes = {
            tuple(torch.as_tensor(leaf).shape)
            for sample in samples
            for leaf in listed(sample['inputs'])
        }
        if len(shapes) > 1:
            raise ValueError(
                f'images of {setting} have different sizes, '
                f'{" and ".join(map(str, sorted(shapes)))}: add '
                'mmregioncl.ResizeEdge and mmregioncl.CenterCrop to the '
                'pipeline')
        preprocess(
            unwrap(runner.model).data_preprocessor, default_collate(samples))


def check_probabilities(runner) -> None:
    """Check that the transforms of images have probabilities from 0 to 1.

    Some of MMCV and torchvision take any number.

    Raises:
        ValueError: If one has another.
    """
    model = runner.cfg.get('model') or {}
    for step in typed_dicts(
        [runner.cfg.get('train_dataloader'),
         model.get('data_preprocessor')]):
        for key, value in step.items():
            if key in ('p', 'prob') or key.endswith('_prob'):
                for number in filter(is_number, listed(value)):
                    check_probability(type_name(step), key, number)


def check_bands(runner) -> None:
    """Check that transforms and preprocessor fit the channels of the images.

    Raises:
        ValueError: If one does not.
    """
    preprocessor = unwrap(runner.model).data_preprocessor
    for part in innermost(runner.train_dataloader.dataset):
        channels = channels_of(getattr(part, 'pipeline', None))
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
    less than a tenth of the range of their type, and if bands are left out.

    Raises:
        ValueError: If none can be read.
    """
    reasons: List[str] = []
    notes: List[str] = []
    spans: Dict[np.dtype, np.ndarray] = {}
    files = [*sample_files(runner.train_dataloader.dataset, 8)]
    for load, path in files:
        load = copy(load)
        load.on_corrupt = 'raise'
        try:
            load(dict(img_path=path))
        except Exception as error:  # decoders may raise anything
            reasons.append(f'{printable(path)}: {error.__cause__ or error}' +
                           ('' if is_ours(load) else other_type(load)))
            continue
        try:
            content = fileio.get(
                path, backend_args=getattr(load, 'backend_args', None))
            if not notes:  # one tells
                notes += bands_left_out(load, printable(path), content)
            note_span(spans, load, content)
        except Exception:  # only that step can read it
            continue
    if reasons and len(reasons) == len(files):
        raise ValueError(f'none of {len(files)} images that were tried can be '
                         f'read, such as {reasons[0]}')
    for kind, (low, high) in spans.items():
        if not uses_range(low, high):
            limits = np.iinfo(kind)
            notes.append(
                f'images of type {kind} hold values from {low} to {high}, of '
                f'{limits.min} to {limits.max}, so that few shades are left of'
                ' them: set value_range of mmregioncl.LoadImage, which '
                'tools/analysis_tools/measure_images.py measures')
    for note in notes:
        runner.logger.warning(note)


def bands_left_out(load: BaseTransform, path: str,
                   content: bytes) -> Iterator[str]:
    """Yield a warning if an image has bands that do not arrive.

    Args:
        load (BaseTransform): The transform that loads it.
        path (str): Where it is, for the message.
        content (bytes): Content of the file.
    """
    fourth = has_fourth_band(content)
    if is_ours(load) and fourth and load.channels in (1, 3):
        yield (f'{path} has 4 bands, and channels={load.channels} of LoadImage'
               ' leaves out the last: set it to 4')
    if not is_ours(load) and getattr(load, 'imdecode_backend', '') == 'cv2':
        unchanged = load.color_type == 'unchanged'
        if fourth and not unchanged or is_misread(content, unchanged):
            yield (f'{type(load).__name__} does not read all of {path}'
                   f'{other_type(load)}')


def note_span(spans: Dict[np.dtype, np.ndarray], load: BaseTransform,
              content: bytes) -> None:
    """Add the lowest and highest value of an image to those of its type.

    If they are to be shown with 8 bits, without a value range.
    """
    channels = getattr(load, 'channels', 3)
    if getattr(load, 'value_range', None) is not None or \
            getattr(load, 'color_type', 'color') == 'unchanged':
        return
    values = fit_bands(read_values(content, channels), channels)
    known = spans.get(values.dtype, values)
    spans[values.dtype] = np.array(
        [min(known.min(), values.min()),
         max(known.max(), values.max())], values.dtype)


def is_ours(load: BaseTransform) -> bool:
    """Whether a transform is a ``LoadImage``, which knows bands."""
    return hasattr(load, 'channels')


def other_type(load: BaseTransform) -> str:
    return f': set the type of {type(load).__name__} to mmregioncl.LoadImage'


def check_first_step(runner, views: List[Tensor]) -> None:
    """Refuse before the first step what the model refuses in it.

    Such as a region that does not fit on the map. The step is made with
    tensors without content, in about a second for a ResNet-50.

    Args:
        runner (Runner): A run.
        views (list[Tensor]): Of one image, shape (1, C, H, W) each.

    Raises:
        Exception: As the model raises it, if it names the remedy.
    """
    batch = images_per_batch(runner.train_dataloader)
    try:
        rehearse(unwrap(runner.model), views, batch)
    except Exception as error:  # a step may depend on values
        if is_refusal(error):
            raise


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
    if first is None or first.in_channels == channels:
        return
    # Other layers may come first, as in a network on edges.
    training = model.backbone.training
    model.backbone.eval()
    try:
        with torch.no_grad():
            model.backbone(views[0])
    except RuntimeError as error:
        raise ValueError(
            f'views have {channels} channels and the backbone takes '
            f'{first.in_channels}: set model.backbone.in_channels={channels}, '
            'or channels of LoadImage') from error
    finally:
        model.backbone.train(training)
