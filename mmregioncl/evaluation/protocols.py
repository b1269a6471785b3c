"""The protocols by which representations are compared."""
from pathlib import Path
from typing import Callable, Dict, Sequence

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner
from torch import Tensor

from mmregioncl.engine.config import check_data, set_pretrained
from mmregioncl.engine.storage import find_checkpoint
from .knn import check_neighbours, nearest, vote
from .linear import linear_probes
from .study import Study
from .svm import COSTS, SHOTS, low_shot_map, make_split, svm_map

RATES = (0.01, 0.03, 0.1, 0.3, 1., 3., 10., 30.)


def single(labels: Tensor, protocol: str) -> Tensor:
    """Labels, if each image has one.

    Raises:
        ValueError: If one has several.
    """
    if labels.ndim > 1:
        raise ValueError(f'{protocol} takes one label for each image, and '
                         'these have several: take svm or low-shot')
    return labels


def knn(
    study: Study,
    k: Sequence[int] = (20, 200),
    temperature: Sequence[float] = (0.1, 0.07)
) -> dict:
    """K-NN on the features as they are, with each k and temperature."""
    train, labels = study.features('train')
    test, right = study.features('test')
    for number in k:
        for value in temperature:
            check_neighbours(number, value, len(train))
    similarity, found = nearest(train, single(labels, 'knn'),
                                test.to(get_device()), max(k))
    right = single(right, 'knn').to(found.device)
    numbers = {}
    for count in k:
        for value in temperature:
            votes = vote(similarity[:, :count], found[:, :count], value,
                         int(labels.max()) + 1)
            share = (votes == right).float().mean().item()
            numbers[f'top-1, k={count}, T={value}'] = share
    return dict(
        numbers=numbers,
        how=f'exact cosine k-NN with votes of exp(similarity / T), '
        f'{len(train)} train and {len(test)} test images')


def linear(study: Study,
           rates: Sequence[float] = RATES,
           epochs: int = 100,
           batch_size: int = 256) -> dict:
    """Linear classifiers on the features as they are, one for each rate."""
    train, labels = study.features('train')
    test, right = study.features('test')
    sets = (train, single(labels, 'linear'), test, single(right, 'linear'))
    scores = linear_probes(*(part.to(get_device()) for part in sets), rates,
                           epochs, batch_size, study.seed)
    best = max(scores, key=scores.get)
    numbers = {'top-1, best learning rate': scores[best]}
    numbers.update({
        f'top-1, learning rate {rate:g}': score
        for rate, score in scores.items()
    })
    return dict(
        numbers=numbers,
        how=f'SGD for {epochs} epochs of {batch_size} on features of images '
        'without augmentation, the rate divided by 10 at 60 % and 80 %; the '
        f'best rate, {best:g}, is chosen on the test set')


def svm(study: Study, costs: Sequence[float] = COSTS) -> dict:
    """SVMs, one for each class, as on VOC07."""
    result = svm_map(*splits(study), costs)
    return dict(
        numbers={'mAP': float(np.mean(result['ap']))},
        how='LinearSVC for each class on features of unit length, its cost '
        'chosen by 3-fold cross validation',
        details=result)


def low_shot(study: Study,
             shots: Sequence[int] = SHOTS,
             samples: int = 5,
             costs: Sequence[float] = COSTS) -> dict:
    """SVMs that learn from a few images of each class, as on VOC07."""
    result = low_shot_map(*splits(study), shots, samples, costs, study.seed)
    return dict(
        numbers={
            f'mAP, {count} of a class': m
            for count, (m, _) in result.items()
        },
        how=f'as svm, from a few images of each class; mean of {samples} '
        'draws, the cost chosen on the test set as published',
        details={
            str(count): dict(std=std)
            for count, (_, std) in result.items()
        })


def splits(study: Study) -> list:
    """Both sets as SVMs take them."""
    sets = [study.features(split) for split in ('train', 'test')]
    classes = max(labels.shape[1] if labels.ndim > 1 else int(labels.max()) + 1
                  for _, labels in sets)
    return [make_split(*part, classes) for part in sets]


def recipe(study: Study, config: str) -> dict:
    """Train a classifier by a config, from the backbone of the checkpoint.

    Args:
        study (Study): With the backbone, which takes the place of that of the
            config.
        config (str): File of ``configs/benchmarks/classification``.
    """
    cfg = Config.fromfile(config)
    name = Path(config).stem
    set_pretrained(cfg, study.checkpoint or 'none')
    adopt_backbone(cfg, study)
    cfg.work_dir = str(study.out / name)
    cfg.experiment_name = cfg.work_dir.replace('/', '-')
    cfg.randomness = dict(seed=study.seed)
    check_data(cfg, 'train_dataloader', 'val_dataloader')
    last = find_checkpoint(cfg.work_dir)
    if last:
        cfg.update(resume=True, load_from=last)
    runner = Runner.from_cfg(cfg)
    runner.train()
    scores = runner.message_hub.get_scalar('val/accuracy/top1').data[0]
    return dict(
        numbers={
            'top-1, last epoch': float(scores[-1]) / 100,
            'top-1, best epoch': float(max(scores)) / 100
        },
        how=f'{name}, {cfg.train_cfg.max_epochs} epochs with '
        'augmentation')


def adopt_backbone(cfg: Config, study: Study) -> None:
    """Give a classifier the backbone and the normalisation of a checkpoint.

    What is frozen is the classifier's.
    """
    theirs = study.cfg.model
    frozen = cfg.model.backbone.get('frozen_stages', -1)
    cfg.model.backbone = dict(theirs.backbone, frozen_stages=frozen)
    name = theirs.backbone.type
    if '.' not in name:
        cfg.model.backbone['type'] = f'mmselfsup.{name}'
    for key in ('mean', 'std'):
        cfg.data_preprocessor[key] = theirs.data_preprocessor[key]
    cfg.model.head.in_channels = study.features('test')[0].shape[1]


FEATURE_PROTOCOLS: Dict[str, Callable[..., dict]] = {
    'knn': knn,
    'linear': linear,
    'svm': svm,
    'low-shot': low_shot
}
