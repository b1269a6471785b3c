"""Features of images."""
from typing import List, Tuple, Union

import torch
from mmengine.dataset import BaseDataset, default_collate
from mmengine.dist import all_reduce
from mmengine.model import BaseModel
from mmengine.registry import DATASETS
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mmregioncl.models.utils import (backbone_outputs, image_features,
                                     preprocess)
from .data import read_labels, warn_of_lost_shades
from .progress import with_progress
from .ranks import gather_rows, rank_batches


def batch_loader(dataset: Dataset, batches: List[List[int]], num_workers: int,
                 context) -> DataLoader:
    """Make a loader of the given batches.

    Args:
        dataset (Dataset): Any data set.
        batches (list[list[int]]): Row numbers of each batch.
        num_workers (int): Number of worker processes.
        context (optional): ``multiprocessing_context`` of the DataLoader.
    """
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=num_workers,
        multiprocessing_context=context if num_workers else None,
        collate_fn=default_collate)


@torch.no_grad()
def extract_rows(model: BaseModel,
                 dataset: Dataset,
                 batches: List[List[int]],
                 num_workers: int = 2,
                 context=None) -> Tensor:
    """Extract the features of some images.

    Args:
        model (BaseModel): A pre-training algorithm in eval mode.
        dataset (Dataset): Data set with one view per sample.
        batches (list[list[int]]): Rows to extract, such as the result of
            :func:`rank_batches`.
        num_workers (int): Defaults to 2.
        context (optional): ``multiprocessing_context`` of the DataLoader.
            Defaults to None.

    Returns:
        Tensor: Shape (M, C), float32, on the CPU.
    """
    rows = []
    # A rank without a batch runs one image and drops its features.
    loader = batch_loader(dataset, batches or [[0]], num_workers, context)
    for batch in with_progress(loader, 'features, batches'):
        inputs, _ = preprocess(model.data_preprocessor, batch)
        features = image_features(backbone_outputs(model, inputs))  # (N, C)
        rows.append(features.float().cpu())
    return torch.cat(rows)[:sum(map(len, batches))]


def extract_features(model: BaseModel,
                     dataset: Union[dict, BaseDataset],
                     batch_size: int = 128,
                     num_workers: int = 2) -> Tuple[Tensor, Tensor]:
    """Extract features and labels of a labeled data set, on every rank.

    Args:
        model (BaseModel): A pre-training algorithm in eval mode.
        dataset (dict or BaseDataset): The data set, or its config.
        batch_size (int): Defaults to 128.
        num_workers (int): Defaults to 2.

    Returns:
        tuple[Tensor, Tensor]: Features (N, C), float32, and labels as in
        :func:`read_labels`, both on the CPU and in the order of the data set.

    Raises:
        ValueError: If a label is missing.
    """
    if isinstance(dataset, dict):
        dataset = DATASETS.build(dataset)
    labels = read_labels(dataset)
    warn_of_lost_shades(dataset)
    batches = rank_batches(len(dataset), batch_size)
    rows = extract_rows(model, dataset, batches, num_workers)
    return gather_rows(rows, batches, len(dataset)), labels


def check_finite(features: Tensor) -> Tensor:
    """Return the features if they are finite on all ranks.

    All ranks have to call it, and all of them raise.

    Raises:
        ValueError: If a feature is NaN or inf.
    """
    counts = torch.tensor([(~features.isfinite().all(1)).sum(), len(features)])
    all_reduce(counts)
    if counts[0]:
        raise ValueError(
            f'features of {counts[0]} of {counts[1]} images are NaN or inf: '
            'the run diverged, use an earlier checkpoint')
    return features
