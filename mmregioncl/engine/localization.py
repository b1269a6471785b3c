"""The pass over the training images that finds their crop boxes."""
import copy
import time
from typing import Callable, Optional, Tuple

import torch
from mmengine.dataset import (BaseDataset, Compose, DefaultSampler,
                              default_collate)
from mmengine.dist import all_reduce, is_main_process
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from mmregioncl.datasets.box_store import BoxStore
from mmregioncl.datasets.transforms import loading_steps
from mmregioncl.models.utils import feature_map, heatmap_to_boxes
from mmregioncl.registry import TRANSFORMS


def whole_image_steps(image_size: Tuple[int, int]) -> list:
    """What makes an input of a loaded image, without augmentation.

    Args:
        image_size (tuple[int, int]): Height and width in pixels that images
            are resized to, squeezed if need be.
    """
    resize = dict(
        type='Resize', scale=tuple(image_size[::-1]), backend='pillow')
    pack = dict(
        type='PackSelfSupInputs', algorithm_keys=['sample_idx'], meta_keys=())
    return [TRANSFORMS.build(step) for step in (resize, pack)]


def localize(
        model: nn.Module,
        dataset: BaseDataset,
        store: BoxStore,
        threshold: float,
        batch_size: int,
        num_workers: int,
        context=None,
        say: Optional[Callable[[str], None]] = None) -> Tuple[Tensor, int]:
    """Boxes of the images of a data set, alike on all ranks.

    Args:
        model (nn.Module): A pre-training algorithm in eval mode.
        dataset (BaseDataset): With its training pipeline.
        store (BoxStore): Of this data set; it is read, and not changed.
        threshold (float): Of the response that belongs to an object.
        batch_size (int): On each rank.
        num_workers (int): On each rank.
        context (optional): How workers are started, as a DataLoader takes it.
            Defaults to None.
        say (Callable, optional): Told once a minute how long it will take.
            A terminal has a progress bar as well. Defaults to None.

    Returns:
        tuple[Tensor, int]: Edges in pixels, (N, 4) int64, -1 where an image
        could not be read; and the number of degenerate maps.
    """
    whole = copy.copy(dataset)  # shares the list of images
    whole.pipeline = Compose([
        *loading_steps(dataset.pipeline), *whole_image_steps(store.image_size)
    ])
    loader = DataLoader(
        whole,
        batch_size=batch_size,
        # Its last images are repeated for all ranks to have as many.
        sampler=DefaultSampler(whole, shuffle=False, seed=0),
        num_workers=num_workers,
        multiprocessing_context=context if num_workers else None,
        collate_fn=default_collate)

    device = next(model.parameters()).device
    # Top, left, bottom, right, and whether the map was degenerate
    found = torch.full((len(store), 5), -1, device=device)
    quiet = None if is_main_process() else True  # None: unless on a terminal
    begun = said = time.time()
    bar = tqdm(loader, desc='crop boxes', disable=quiet, leave=False)
    for done, batch in enumerate(bar):
        if say and time.time() - said > 60:
            said = time.time()
            left = (said - begun) * (len(loader) - done) / done
            say(f'crop boxes: {done} of {len(loader)} batches, '
                f'{left:.0f} s left')
        inputs, samples = model.data_preprocessor(batch)
        maps = feature_map(model(inputs, mode='tensor'))
        boxes, odd = heatmap_to_boxes(maps, store.image_size, threshold)
        rows = torch.cat([sample.sample_idx.value for sample in samples])
        found[rows.to(device)] = torch.cat(
            (store.to_edges(boxes), odd[:, None].long()), 1)
    all_reduce(found, 'max')
    found = found.cpu()
    return found[:, :4], int((found[:, 4] > 0).sum())
