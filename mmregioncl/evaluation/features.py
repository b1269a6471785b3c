import copy
import hashlib
import logging
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Iterator, List, Optional, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, default_collate
from mmengine.device import get_device
from mmengine.dist import all_reduce, get_rank, get_world_size, is_main_process
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, MODELS, init_default_scope
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from mmregioncl.datasets import ImageFolder
from mmregioncl.engine.config import innermost_configs
from mmregioncl.models.utils import check_weights, feature_map
from mmregioncl.transfer import read_weights


def load_model(cfg: Config, checkpoint: Optional[str] = None) -> nn.Module:
    """Build the model of a config, in eval mode on the device at hand.

    Args:
        cfg (Config): A pre-training config.
        checkpoint (str, optional): Weights of exactly this model. Defaults to
            None, freshly initialised weights.

    Raises:
        ValueError: If the checkpoint is of another architecture.
    """
    init_default_scope(cfg.get('default_scope', 'mmselfsup'))
    model = MODELS.build(copy.deepcopy(cfg.model))  # it fills in types
    if checkpoint is None:
        with quiet():  # it tells of each weight
            model.init_weights()
    else:
        model.load_state_dict(check_weights(model, read_weights(checkpoint)))
    return model.to(get_device()).eval()


@contextmanager
def quiet() -> Iterator[None]:
    """Log warnings alone."""
    logger = MMLogger.get_current_instance()
    levels = [(handler, handler.level) for handler in logger.handlers]
    for handler, _ in levels:
        handler.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for handler, level in levels:
            handler.setLevel(level)


def view_size(cfg: Config) -> int:
    """Side in pixels of the first view that a train pipeline crops."""
    parts = innermost_configs('', cfg.train_dataloader.dataset)
    todo = [step for _, part in parts for step in part.get('pipeline', [])]
    while todo:
        step = todo.pop(0)
        if isinstance(step, list):
            todo = step + todo
        elif step['type'].split('.')[-1] in ('RandomResizedCrop',
                                             'ContrastiveCrop'):
            size = step['size']
            return size if isinstance(size, int) else size[0]
        else:
            todo = list(step.get('transforms', [])) + todo
    raise ValueError('the train pipeline has no RandomResizedCrop or '
                     'ContrastiveCrop to tell the size of images')


def eval_pipeline(size: int) -> List[dict]:
    """Test-time pipeline: the centre square, at the size of the views.

    From 96 pixels on, the shorter edge is resized to 8/7 of the size before
    the crop (256 to 224, as on ImageNet); smaller images are not cropped into.

    Args:
        size (int): Side of the square in pixels.
    """
    edge = size * 8 // 7 if size >= 96 else size
    return [
        dict(type='mmregioncl.LoadImage', on_corrupt='raise'),
        dict(type='mmcls.ResizeEdge', scale=edge, edge='short'),
        dict(type='CenterCrop', crop_size=size),
        dict(type='PackSelfSupInputs', algorithm_keys=['gt_label']),
    ]


def class_folder(root: str, size: int) -> dict:
    """Config of a labelled data set: a folder with one folder per class.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if '://' not in root and not Path(root).is_dir():
        raise FileNotFoundError(f'{root} is no folder: name one with a folder '
                                'of images for each class')
    return dict(
        type='mmcls.CustomDataset',
        data_root=root,
        extensions=ImageFolder.EXTENSIONS,
        pipeline=eval_pipeline(size))


def eval_dataset(cfg: Config,
                 split: str,
                 given: Union[dict, str, None] = None) -> dict:
    """Config of a labelled data set to evaluate on.

    Args:
        cfg (Config): A pre-training config.
        split (str): 'train' or 'test'.
        given (dict or str, optional): Data set, or a folder with one folder
            for each class. Defaults to None, ``eval_datasets`` of the config.

    Raises:
        ValueError: If the config names none.
    """
    given = given or cfg.get('eval_datasets', {}).get(split)
    if given is None:
        raise ValueError(
            f'the config names no eval_datasets.{split}: give it a labelled '
            'data set, or name folders with one folder for each class by '
            '--train and --test of a tool, train and test of a hook')
    if isinstance(given, str):
        given = class_folder(given, view_size(cfg))
    return given


def check_class_folders(train: str, test: str) -> None:
    """Labels count the folders: they have to be the same on both sides.

    Raises:
        ValueError: If they are not.
    """
    names = [{path.name
              for path in Path(root).glob('*') if path.is_dir()}
             for root in (train, test)]
    if not all(names):
        raise ValueError(f'{train if names[1] else test} holds no folders: '
                         'images belong into one folder for each class')
    odd = sorted(names[0] ^ names[1])
    if odd:
        raise ValueError(f'{train} and {test} need the same folders, one for '
                         f'each class; these differ: {", ".join(odd)}')


def check_same_classes(train: BaseDataset, test: BaseDataset) -> None:
    """Labels of two data sets have to mean the same.

    Data sets of one kind name their classes alike. A folder and a named data
    set, such as ImageNet's, may have no name in common: they are counted.

    Raises:
        ValueError: If both know the names of their classes, and they differ.
    """
    names = [part.metainfo.get('classes') or () for part in (train, test)]
    alike = set(names[0]) & set(names[1]) or len(names[0]) != len(names[1])
    if all(names) and alike and list(names[0]) != list(names[1]):
        odd = sorted(set(names[0]) ^ set(names[1])) or ['their order']
        raise ValueError('the train and the test set need the same classes, '
                         f'and these differ: {", ".join(odd[:10])}')


def fingerprint(dataset: BaseDataset) -> dict:
    """How many images a data set has, and which.

    Args:
        dataset (BaseDataset): Of any kind.

    Returns:
        dict: ``images``, their number, and ``digest`` of their labels and
        of their paths below the data root, or of their pixels.
    """
    digest = hashlib.sha256()
    root = (getattr(dataset, 'data_root', None) or '').rstrip('/')
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        image = info.get('img')
        digest.update(str(info.get('gt_label')).encode())
        digest.update(
            info.get('img_path', '').removeprefix(root).lstrip('/').encode(
            ) if image is None else np.ascontiguousarray(image).data)
    return dict(images=len(dataset), digest=digest.hexdigest()[:8])


def read_labels(dataset: BaseDataset,
                single: bool = False,
                partial: bool = False) -> Tensor:
    """Labels of a data set, without a look at its images.

    Args:
        dataset (BaseDataset): With ``gt_label`` in its data infos, and
            perhaps ``gt_label_difficult``, as mmcls's VOC.
        single (bool): Whether an image must not have several labels. Defaults
            to False.
        partial (bool): Whether images may have none, -1, if others have.
            Defaults to False.

    Returns:
        Tensor: Shape (N,), int64, from 0 on. Where an image has several, (N,
        classes): 1 has it, 0 has not, -1 has it and is difficult.

    Raises:
        ValueError: If a label is missing, or not a whole number from 0 on.
    """
    name = type(dataset).__name__
    infos = map(dataset.get_data_info, range(len(dataset)))
    rows = [(info.get('gt_label'), info.get('gt_label_difficult') or [])
            for info in infos]
    labels = [label for label, _ in rows]
    flat = [label for row in labels for label in np.atleast_1d(row).tolist()]
    odd = [label for label in flat if not isinstance(label, (int, type(None)))]
    if not odd and (None in flat or max(flat, default=-1) == -1):
        raise ValueError(
            f'{name} has images without a label: give a data set with '
            "gt_label, such as type='mmcls.CustomDataset' for a folder with "
            'one folder for each class')
    least = -1 if partial else 0
    odd = odd or [label for label in flat if label < least]
    if odd:
        raise ValueError(f'{name} has the label {odd[0]!r}: number the classes'
                         ' from 0 on')
    if not any(np.ndim(label) for label in labels):
        return torch.tensor(flat)
    if single:
        raise ValueError(f'{name} has images with several labels, and k-NN and'
                         ' linear probes take one: take the protocol svm')
    classes = max(len(dataset.metainfo.get('classes', ())), max(flat) + 1)
    table = torch.zeros(len(labels), classes).long()
    for row, (label, difficult) in zip(table, rows):
        row[difficult] = -1
        row[label] = 1
    return table


def rank_batches(count: int, batch_size: int) -> List[List[int]]:
    """Batches of consecutive rows that are this rank's to work on.

    The batches are those of a single process, dealt out in turn: what is
    computed from one does not depend on the number of processes.

    Args:
        count (int): Rows in all.
        batch_size (int): Rows of a batch; the last may have fewer.
    """
    rows = torch.arange(count).split(batch_size)
    return [part.tolist() for part in rows[get_rank()::get_world_size()]]


def rows_of(batches: List[List[int]]) -> List[int]:
    """All rows of some batches."""
    return list(chain.from_iterable(batches))


def gather_rows(rows: Tensor, batches: List[List[int]], count: int) -> Tensor:
    """Rows of all ranks, in order and on all of them.

    Args:
        rows (Tensor): Of this rank, (M, ...).
        batches (list[list[int]]): What :func:`rank_batches` gave it.
        count (int): Rows in all.

    Returns:
        Tensor: Shape (N, ...).
    """
    if get_world_size() == 1:
        return rows
    full = rows.new_zeros(count, *rows.shape[1:])
    full[rows_of(batches)] = rows
    all_reduce(full)  # sums each row with zeros: exact
    return full


def batch_loader(dataset: Dataset, batches: List[List[int]], num_workers: int,
                 context) -> DataLoader:
    """A loader of given batches.

    Args:
        dataset (Dataset): Any.
        batches (list[list[int]]): Rows of each.
        num_workers (int): Processes that load.
        context (optional): How they are started, as a DataLoader takes it.
    """
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=num_workers,
        multiprocessing_context=context if num_workers else None,
        collate_fn=default_collate)


@torch.no_grad()
def extract_rows(model: nn.Module,
                 dataset: Dataset,
                 batches: List[List[int]],
                 num_workers: int = 2,
                 context=None) -> Tensor:
    """Features of some images, averaged over the last feature map.

    Args:
        model (nn.Module): A pre-training algorithm of mmselfsup in eval mode.
        dataset (Dataset): Whose samples are one view each.
        batches (list[list[int]]): Rows to take, such as
            :func:`rank_batches`.
        num_workers (int): Defaults to 2.
        context (optional): How workers are started. Defaults to None.

    Returns:
        Tensor: Shape (M, C), float32, on the CPU.
    """
    rows = []
    quiet = None if is_main_process() else True  # None: unless on a terminal
    # A rank without a batch looks at one image, and keeps no row of it.
    loader = batch_loader(dataset, batches or [[0]], num_workers, context)
    for batch in tqdm(loader, desc='features', disable=quiet, leave=False):
        inputs, _ = model.data_preprocessor(batch)
        maps = feature_map(model(inputs, mode='tensor'))  # (N, C, H, W)
        rows.append(maps.mean((2, 3)).float().cpu())
    return torch.cat(rows)[:sum(map(len, batches))]


def extract_features(model: nn.Module,
                     dataset: Union[dict, BaseDataset],
                     batch_size: int = 128,
                     num_workers: int = 2) -> Tuple[Tensor, Tensor]:
    """Features and labels of a labelled data set, all on all ranks.

    Args:
        model (nn.Module): A pre-training algorithm of mmselfsup in eval mode.
        dataset (dict or BaseDataset): The data set, or its config.
        batch_size (int): Defaults to 128.
        num_workers (int): Defaults to 2.

    Returns:
        tuple[Tensor, Tensor]: Features (N, C), float32, and labels as
        :func:`read_labels` gives them, both on the CPU and in the order of the
        data set.

    Raises:
        ValueError: If a label is missing.
    """
    if isinstance(dataset, dict):
        dataset = DATASETS.build(dataset)
    labels = read_labels(dataset)
    batches = rank_batches(len(dataset), batch_size)
    rows = extract_rows(model, dataset, batches, num_workers)
    return gather_rows(rows, batches, len(dataset)), labels


def check_finite(features: Tensor) -> Tensor:
    """The features, unless one is NaN or inf on any rank.

    All ranks have to call it, and all raise.

    Raises:
        ValueError: If one is.
    """
    odd = torch.tensor([(~features.isfinite().all(1)).sum(), len(features)])
    all_reduce(odd)
    if odd[0]:
        raise ValueError(
            f'features of {odd[0]} of {odd[1]} images are NaN or inf: the run '
            'diverged, take an earlier checkpoint')
    return features
