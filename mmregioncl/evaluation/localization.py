"""Crop boxes of all training images, found in one pass."""
import copy
from typing import Iterator, Sequence, Tuple

import torch
from mmengine.dataset import (BaseDataset, Compose, DefaultSampler,
                              default_collate)
from mmengine.dist import all_reduce
from mmengine.model import BaseModel
from torch import Tensor
from torch.utils.data import DataLoader

from mmregioncl.datasets.box_store import BoxStore
from mmregioncl.datasets.transforms import ResizeBands, loading_steps
from mmregioncl.models.utils import (Threshold, backbone_outputs, covered,
                                     feature_map, heatmap_to_boxes, preprocess)
from mmregioncl.registry import TRANSFORMS
from .progress import with_progress


def whole_image_steps(image_size: Tuple[int, int]) -> list:
    """Transforms from a loaded image to a model input, without augmentation.

    Args:
        image_size (tuple[int, int]): Height and width in pixels that images
            are resized to, ignoring their aspect ratio.

    Returns:
        list: Built transforms.
    """
    pack = dict(
        type='mmregioncl.PackSelfSupInputs', algorithm_keys=['sample_idx'])
    return [
        ResizeBands(scale=tuple(image_size[::-1]), backend='pillow'),
        TRANSFORMS.build(pack)
    ]


def whole_image_maps(model: BaseModel,
                     dataset: BaseDataset,
                     image_size: Tuple[int, int],
                     batch_size: int,
                     num_workers: int,
                     context=None) -> Iterator[Tuple[Tensor, Tensor]]:
    """Yield the feature maps of whole images, without augmentation.

    Args:
        model (BaseModel): A pre-training algorithm in eval mode.
        dataset (BaseDataset): With its training pipeline.
        image_size (tuple[int, int]): Height and width in pixels that images
            are resized to, ignoring their aspect ratio.
        batch_size (int): On each rank.
        num_workers (int): On each rank.
        context (optional): ``multiprocessing_context`` of the DataLoader.
            Defaults to None.

    Yields:
        tuple[Tensor, Tensor]: Indices of the images of a batch of this rank,
        (B,), and their maps, (B, C, Hf, Wf). The last images are repeated so
        that all ranks have equally many.
    """
    whole = copy.copy(dataset)  # shares the list of images
    whole.pipeline = Compose(
        [*loading_steps(dataset.pipeline), *whole_image_steps(image_size)])
    loader = DataLoader(
        whole,
        batch_size=batch_size,
        sampler=DefaultSampler(whole, shuffle=False, seed=0),
        num_workers=num_workers,
        multiprocessing_context=context if num_workers else None,
        collate_fn=default_collate)
    for batch in with_progress(loader, 'crop boxes, batches'):
        inputs, samples = preprocess(model.data_preprocessor, batch)
        rows = torch.cat([sample.sample_idx.value for sample in samples])
        yield rows, feature_map(backbone_outputs(model, inputs), image_size)


def localize(model: BaseModel,
             dataset: BaseDataset,
             store: BoxStore,
             threshold: Threshold,
             batch_size: int,
             num_workers: int,
             context=None) -> Tuple[Tensor, int]:
    """Find the box of every image of a data set.

    Args:
        model (BaseModel): A pre-training algorithm in eval mode.
        dataset (BaseDataset): With its training pipeline.
        store (BoxStore): Store of this data set; it is not changed.
        threshold (float or str): Of :func:`heatmap_to_boxes`.
        batch_size (int): On each rank.
        num_workers (int): On each rank.
        context (optional): ``multiprocessing_context`` of the DataLoader.
            Defaults to None.

    Returns:
        tuple[Tensor, int]: Edges in pixels, (N, 4) int64, -1 where an image
        could not be read; and the number of degenerate maps. Both are the same
        on all ranks.
    """
    device = next(model.parameters()).device
    # Top, left, bottom, right, and whether the map was degenerate
    found = torch.full((len(store), 5), -1, device=device)
    for rows, maps in whole_image_maps(model, dataset, store.image_size,
                                       batch_size, num_workers, context):
        boxes, degenerate = heatmap_to_boxes(maps, store.image_size, threshold)
        found[rows.to(device)] = torch.cat(
            (store.to_edges(boxes), degenerate[:, None].long()), 1)
    all_reduce(found, 'max')
    found = found.cpu()
    return found[:, :4], int((found[:, 4] > 0).sum())


def find_boxes(model: BaseModel, dataset: BaseDataset,
               image_size: Tuple[int, int], thresholds: Sequence[Threshold],
               batch_size: int, num_workers: int) -> Tensor:
    """Find the boxes of all images by several thresholds, in one process.

    Args:
        model, dataset, image_size, batch_size, num_workers: As in
            :func:`whole_image_maps`.
        thresholds (sequence): Thresholds of :func:`heatmap_to_boxes`.

    Returns:
        Tensor: Shape (thresholds, N, 4), including their last pixels.
    """
    found = torch.zeros(len(thresholds), len(dataset), 4)
    for rows, maps in whole_image_maps(model, dataset, image_size, batch_size,
                                       num_workers):
        for boxes, threshold in zip(found, thresholds):
            ends, _ = heatmap_to_boxes(maps, image_size, threshold)
            boxes[rows] = covered(ends, image_size).cpu()
    return found
