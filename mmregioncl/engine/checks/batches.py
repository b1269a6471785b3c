"""Check batches of the training set, before training and in each step."""
from typing import Any, List

from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.dist import all_gather_object
from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from mmregioncl import host
from mmregioncl.models.parents import DenseCL, MoCo, SelfSupDataPreprocessor
from mmregioncl.models.utils.modules import unwrap
from ..batches import count_images, images_per_batch, last_batch
from .images import check_images


def check_steps(runner) -> None:
    """Check that the training set fills at least one batch.

    Infinite samplers, for iteration-based runs, fill any batch.

    Raises:
        FileNotFoundError: If it does not, and an image does not exist.
        ValueError: If it does not.
    """
    loader = runner.train_dataloader
    ends = isinstance(runner.train_loop, EpochBasedTrainLoop) or \
        isinstance(loader.sampler, DefaultSampler)
    if ends and len(loader) == 0:
        check_images(loader.dataset)  # a wrong list may be the cause
        raise ValueError(
            f'{len(loader.dataset)} images are fewer than one batch of '
            f'{loader.batch_size} on {runner.world_size} process(es): '
            'lower train_dataloader.batch_size, or add images')


def check_batches(runner) -> None:
    """Check that all batches are large enough, and equal on all processes.

    All processes have to call it.

    Raises:
        ValueError: If there is no batch, if the batches of processes differ,
            or if the last batch of an epoch is too small.
    """
    check_steps(runner)
    loader = runner.train_dataloader
    collate = getattr(loader.collate_fn, 'func', loader.collate_fn)
    preprocessor = type(unwrap(runner.model).data_preprocessor)
    if collate is pseudo_collate and issubclass(
            preprocessor,
            SelfSupDataPreprocessor) and not host.is_own(preprocessor):
        raise ValueError(
            'train_dataloader.collate_fn does not join images into a batch, '
            f'which {preprocessor.__name__} needs: set it to '
            "dict(type='default_collate')")
    images = len(loader.dataset)
    if not getattr(loader.sampler, 'round_up', True) and \
            images % runner.world_size:
        raise ValueError(
            f'{images} images cannot be split evenly across '
            f'{runner.world_size} processes, which would wait for each other '
            'forever: set train_dataloader.sampler.round_up=True')
    model, rest = unwrap(runner.model), last_batch(loader)
    least = getattr(model, 'least_batch', 1)
    if rest is not None and (rest < least or rest == 1 < loader.batch_size
                             and norms_vectors(model)):
        enough = max(least, 2)
        name = type(model).__name__
        if loader.batch_size < enough:
            raise ValueError(
                f'train_dataloader.batch_size={loader.batch_size}, but {name} '
                f'needs {enough} images: set it to {enough} or more')
        raise ValueError(
            f'the last batch of an epoch has {rest} of {loader.batch_size} '
            f'images, but {name} needs {enough}: set '
            'train_dataloader.drop_last=True')
    check_equal(all_gather_object(describe_batches(loader)))


def describe_batches(loader) -> str:
    """Describe what has to be the same on all processes."""
    return (f'{len(loader)} batches of {images_per_batch(loader)}, the last of'
            f' {last_batch(loader) or "any number"}, from '
            f'{len(loader.dataset)} images')


def check_equal(batches: List[str]) -> None:
    """Check that all processes have equal batches.

    Otherwise they would wait forever or exchange the wrong rows.

    Args:
        batches (list[str]): :func:`describe_batches` of each process.

    Raises:
        ValueError: If a process differs from the first one.
    """
    for rank, own in enumerate(batches):
        if own != batches[0]:
            raise ValueError(
                f'rank {rank} has {own}, but rank 0 has {batches[0]}: use '
                'the same data and batch_size on all processes in '
                'train_dataloader')


def check_batch(runner, idx: int, batch: Any) -> None:
    """Check that a batch has as many images as on other processes.

    Batches of custom batch samplers are not checked.

    Args:
        runner (Runner): A run on several processes.
        idx (int): Number of the batch in the epoch, from 0.
        batch (Any): The batch.

    Raises:
        ValueError: If the number of images differs.
    """
    loader = runner.train_dataloader
    images, last = count_images(batch), last_batch(loader)
    wanted = loader.batch_size if (idx + 1) % len(loader) else last
    if None not in (images, last) and images != wanted:
        raise ValueError(
            f'rank {runner.rank} has {images} images in step {runner.iter + 1}'
            f', but other processes expect {wanted}: make sure that data set '
            'and collate_fn of train_dataloader keep every image')


def check_epoch(runner, steps: int) -> None:
    """Check that an epoch had as many steps as on other processes.

    Loaders with custom batch samplers are not checked.

    Args:
        runner (Runner): A run on several processes.
        steps (int): Number of steps in the epoch.

    Raises:
        ValueError: If the number of steps differs.
    """
    loader = runner.train_dataloader
    length = len(loader)
    if last_batch(loader) is not None and steps != length:
        raise ValueError(
            f'rank {runner.rank} has {steps} batches in epoch '
            f'{runner.epoch + 1}, but other processes expect {length}: '
            'make sure that the sampler of train_dataloader yields '
            'len(sampler) indices')


def norms_vectors(model: nn.Module) -> bool:
    """Whether neck or head have batch norm of vectors.

    Such a layer needs at least two images.
    """
    return any(
        type(part) is nn.BatchNorm1d for name, part in model.named_modules()
        if not name.startswith('backbone.'))


def check_queue(runner) -> None:
    """Check the length of the queue.

    Warns if the queue has at least as many keys as there are images.

    Raises:
        ValueError: If the model needs a multiple of the keys of a step, and
            the length is not.
    """
    model, loader = unwrap(runner.model), runner.train_dataloader
    images = len(loader.dataset)
    queue_len = getattr(model, 'queue_len', 0)
    for batch in {loader.batch_size, last_batch(loader)} - {None}:
        keys = batch * runner.world_size
        if isinstance(model, (MoCo, DenseCL)) and queue_len % keys and \
                not hasattr(model, 'waiting_keys'):
            raise ValueError(
                f'queue_len={queue_len} of {type(model).__name__} is not a '
                f'multiple of the {keys} keys of a step: set it to one and '
                'train_dataloader.drop_last=True, or use RegionCL')
    if queue_len >= images:
        runner.logger.warning(f'queue_len={queue_len} for {images} images: an '
                              "image's own old keys become its negatives; set "
                              'model.queue_len below their number')
