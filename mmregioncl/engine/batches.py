"""How many images a batch has."""
import math
from typing import Any, Optional

from mmengine.dataset import DefaultSampler
from mmengine.dist import get_world_size
from torch import Tensor
from torch.utils.data import BatchSampler

from mmregioncl.validation import listed


def images_per_batch(loader) -> int:
    """Number of images in a batch, also with a batch sampler."""
    known = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', 0)
    return known or math.ceil(
        len(loader.dataset) / (len(loader) * get_world_size()))


def last_batch(loader) -> Optional[int]:
    """Number of images in the last batch of this process.

    None for a custom batch sampler.
    """
    if type(loader.batch_sampler) is not BatchSampler:
        return None
    rest = 0
    if isinstance(loader.sampler, DefaultSampler) and not loader.drop_last:
        rest = len(loader.sampler) % loader.batch_size
    return rest or loader.batch_size


def count_images(batch: Any) -> Optional[int]:
    """Number of images in a collated batch, None if unknown.

    Args:
        batch (Any): A dict whose ``inputs`` are views (N, C, H, W), images
            (C, H, W), or one tensor (N, C, H, W).
    """
    if not isinstance(batch, dict):
        return None
    samples = batch.get('data_samples', [])
    if not isinstance(samples, (list, tuple)):
        return None
    if samples:
        return len(samples)
    parts = listed(batch.get('inputs'))
    first = parts[0] if len(parts) else None
    if isinstance(first, Tensor) and first.ndim in (3, 4):
        return len(first if first.ndim == 4 else parts)
    return None
