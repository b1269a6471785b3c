"""Labeled data sets for evaluation: configs, classes and labels."""
import logging
from typing import Any, Dict, List, Optional, Set, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.fileio import get_file_backend
from mmengine.logging import print_log
from torch import Tensor

from mmregioncl import host
from mmregioncl.datasets import ImageFolder
from mmregioncl.datasets.archives import address
from mmregioncl.datasets.fingerprint import fingerprint
from mmregioncl.datasets.image_folder import has_image, join
from mmregioncl.datasets.measure import lost_shades, read_samples
from mmregioncl.datasets.nested import innermost, typed_dicts
from mmregioncl.datasets.transforms import (crop_settings, is_crop, is_loading,
                                            kinds_of)
from mmregioncl.files import printable


def view_size(cfg: Config) -> int:
    """Side in pixels of the first random crop in training.

    The crop is in the train pipeline, or in ``data_preprocessor.views`` if the
    device makes the views.

    Raises:
        ValueError: If there is no such crop.
    """
    preprocessors = [
        part.get('data_preprocessor') for part in (cfg.get('model', {}), cfg)
    ]
    training = cfg.get('train_dataloader', {})
    for step in typed_dicts([training.get('dataset'), *preprocessors]):
        if is_crop(step):
            size = crop_settings(step)['size']
            return size if isinstance(size, int) else size[0]
    raise ValueError('neither the train pipeline nor data_preprocessor.views '
                     'has a RandomResizedCrop or ContrastiveCrop to take the '
                     'image size from: set eval_datasets to data sets with a '
                     'pipeline')


def loading_step(cfg: Config) -> dict:
    """Config of the transform that loads training images, at full size.

    Args:
        cfg (Config): A pre-training config.

    Returns:
        dict: Config of the transform; ``mmregioncl.LoadImage`` if the train
        pipeline has no such transform.
    """
    training = cfg.get('train_dataloader', {})
    steps = filter(is_loading, typed_dicts(training.get('dataset')))
    step = dict(next(steps, dict(type='mmregioncl.LoadImage')))
    step.pop('min_side', None)
    return step


def eval_pipeline(size: int, loading: Optional[dict] = None) -> List[dict]:
    """Test-time pipeline: a center crop of the size of the training views.

    For sizes of 96 or more, the shorter edge is first resized to 8/7 of the
    size (256 for 224, as on ImageNet), otherwise to the size.

    Args:
        size (int): Side of the crop in pixels.
        loading (dict, optional): Config of the transform that loads an image.
            Defaults to None, ``mmregioncl.LoadImage``.

    Returns:
        list[dict]: Configs of the transforms.
    """
    edge = size * 8 // 7 if size >= 96 else size
    loading = dict(loading or dict(type='mmregioncl.LoadImage'))
    if 'LoadImage' in kinds_of(loading):
        loading['on_corrupt'] = 'raise'
    return [
        loading,
        dict(type=host.qualified('ResizeEdge'), scale=edge, edge='short'),
        dict(type='CenterCrop', crop_size=size),
        dict(type='mmregioncl.PackSelfSupInputs', algorithm_keys=['gt_label']),
    ]


def class_folder(root: str, size: int, loading: Optional[dict] = None) -> dict:
    """Config of a data set that has one folder of images per class.

    Args:
        root (str): Folder with the class folders. It may be in a zip or
            a tar, such as ``data.zip/train``.
        size (int): Side of the images in pixels.
        loading (dict, optional): See :func:`eval_pipeline`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no class folders, or one of them has no images.
    """
    where = address(root)
    empty = [
        printable(name) for name in sorted(class_names(root))
        if name.startswith('.') or not has_image(join(where, name))
    ]
    if empty:
        raise ValueError(
            f'{root} has folders that are hidden or have no image, but each '
            f'counts as a class: remove {", ".join(empty[:10])}')
    return dict(
        type=host.qualified('CustomDataset'),
        data_root=where,
        extensions=ImageFolder.EXTENSIONS,
        pipeline=eval_pipeline(size, loading))


def class_names(root: str) -> Set[str]:
    """Names of the class folders of a labeled data set.

    Args:
        root (str): Folder with the class folders.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it cannot be listed, or has no folders.
    """
    where = address(root)
    backend = get_file_backend(where)
    if not hasattr(backend, 'list_dir_or_file'):
        raise ValueError(f'{root} cannot be listed, as on a web server: copy '
                         'the labeled images to a folder, a zip or a tar')
    if not backend.isdir(where):
        raise FileNotFoundError(f'{root} is not a folder: set one that has '
                                'a folder of images per class')
    names = set(backend.list_dir_or_file(where, list_file=False))
    if not names:
        raise ValueError(
            f'{root} has no class folders: put the images of each '
            'class into a folder')
    return names


def eval_dataset(cfg: Config,
                 split: str,
                 given: Union[dict, str, None] = None,
                 owner: str = 'eval_datasets') -> dict:
    """Config of a labeled data set to evaluate on.

    Args:
        cfg (Config): A pre-training config.
        split (str): 'train' or 'test'.
        given (dict or str, optional): Data set, or a folder with one folder
            per class. Defaults to None, ``eval_datasets`` of the config.
        owner (str): Name of the setting, for errors. Defaults to
            'eval_datasets'.

    Raises:
        ValueError: If no data set is given and the config has none, or if it
            does not load images as training does.
    """
    given = given or cfg.get('eval_datasets', {}).get(split)
    if given is None:
        raise ValueError(
            f'the config has no eval_datasets.{split}: add a labeled data '
            'set, or set folders with one folder per class by --train and '
            '--test of a tool or by train and test of a hook')
    if isinstance(given, str):
        return class_folder(given, view_size(cfg), loading_step(cfg))
    check_loading(given, f'{owner}.{split}', loading_step(cfg))
    return given


def check_loading(dataset: dict, name: str, training: dict) -> None:
    """Check that a data set loads images as training does.

    Args:
        dataset (dict): Config of the data set.
        name (str): Its name in errors.
        training (dict): Config of the transform that loads images in training.

    Raises:
        ValueError: If channels or value range differ.
    """

    defaults: Dict[str, Any] = dict(channels=3, value_range=None)
    for step in filter(is_loading, typed_dicts(dataset)):
        for key, default in defaults.items():
            ours, theirs = (
                part.get(key, default) for part in (step, training))
            if not np.array_equal(ours, theirs):  # a list may be a tuple
                raise ValueError(
                    f'{name} loads images with {key}={ours}, but training with'
                    f' {key}={theirs}: set the same for LoadImage of both '
                    'pipelines')


def check_class_folders(train: str, test: str) -> None:
    """Check that two folders have the same classes, which define labels.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If their class folders differ, or one has none.
    """
    different = sorted(class_names(train) ^ class_names(test))
    if different:
        raise ValueError(
            f'{train} and {test} need the same folders, one for each class; '
            f'these differ: {", ".join(map(printable, different))}')


def check_same_classes(train: BaseDataset, test: BaseDataset) -> None:
    """Check that the labels of two data sets mean the same.

    A folder and a named data set, such as ImageNet, may name the same classes
    differently. If they have no name in common, only the numbers of classes
    are compared.

    Raises:
        ValueError: If both data sets name their classes, and names differ.
    """
    names = [part.metainfo.get('classes') or () for part in (train, test)]
    alike = set(names[0]) & set(names[1]) or len(names[0]) != len(names[1])
    if all(names) and alike and list(names[0]) != list(names[1]):
        different = sorted(set(names[0]) ^ set(names[1])) or ['their order']
        raise ValueError('the train and the test set need the same classes, '
                         f'but these differ: {", ".join(different[:10])}')


def warn_of_one_class(labels: Tensor, learner: str) -> None:
    """Warn if all labels of a training set are the same.

    Args:
        labels (Tensor): As from :func:`read_labels`.
        learner (str): What learns from them, for the message.
    """
    if len(labels.unique()) == 1:
        print_log(
            f'all images that {learner} learns from have the same label, so '
            'accuracy is meaningless: give images of two classes or more',
            'current', logging.WARNING)


def warn_of_lost_shades(dataset: BaseDataset) -> None:
    """Warn if images use a small part of their value range, as in training."""
    where = getattr(dataset, 'data_root', None) or 'the evaluation'
    for note in lost_shades(read_samples(dataset, 8), where):
        print_log(note, 'current', logging.WARNING)


def describe_dataset(dataset: BaseDataset) -> dict:
    """Size and content of a data set.

    Args:
        dataset (BaseDataset): Any data set, with or without wrappers.

    Returns:
        dict: ``images``, the number of images, and ``digest``, a digest of
        images, order and labels.
    """
    digests = [
        fingerprint(part, content=True)[:8] for part in innermost(dataset)
    ]
    return dict(images=len(dataset), digest='+'.join(digests))


def read_labels(dataset: BaseDataset,
                single: bool = False,
                partial: bool = False) -> Tensor:
    """Read the labels of a data set without loading its images.

    Args:
        dataset (BaseDataset): Data set with ``gt_label`` in its data infos,
            and optionally ``gt_label_difficult``, as in mmcls's VOC.
        single (bool): Whether images with several labels are refused.
            Defaults to False.
        partial (bool): Whether some images may have no label, -1. Defaults to
            False.

    Returns:
        Tensor: Shape (N,), int64, from 0 on. For images with several labels,
        (N, classes): 1 if the image has the class, 0 if not, -1 if it is
        difficult.

    Raises:
        ValueError: If a label is missing, or not a whole number from 0 on.
    """
    name = type(dataset).__name__
    infos = map(dataset.get_data_info, range(len(dataset)))
    rows = [(info.get('gt_label'), info.get('gt_label_difficult') or [])
            for info in infos]
    labels = [label for label, _ in rows]
    flat = [label for row in labels for label in np.atleast_1d(row).tolist()]
    invalid = [
        label for label in flat if not isinstance(label, (int, type(None)))
    ]
    if not invalid and (None in flat or max(flat, default=-1) == -1):
        raise ValueError(
            f'{name} has images without a label: use a data set with '
            f"gt_label, such as type='{host.qualified('CustomDataset')}' for "
            'a folder with one folder for each class')
    lowest = -1 if partial else 0
    invalid = invalid or [label for label in flat if label < lowest]
    if invalid:
        raise ValueError(f'{name} has the label {invalid[0]!r}: number the '
                         'classes from 0 on')
    if not any(np.ndim(label) for label in labels):
        return torch.tensor(flat)
    if single:
        raise ValueError(f'{name} has images with several labels, but k-NN and'
                         ' linear probes need one: use the protocol svm')
    classes = max(len(dataset.metainfo.get('classes', ())), max(flat) + 1)
    table = torch.zeros(len(labels), classes).long()
    for row, (label, difficult) in zip(table, rows):
        row[difficult] = -1
        row[label] = 1
    return table
