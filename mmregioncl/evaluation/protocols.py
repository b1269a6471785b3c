"""The protocols by which representations are compared."""
import hashlib
import re
from pathlib import Path
from typing import Callable, Dict, Sequence

import numpy as np
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor

from mmregioncl.engine.config import check_data, set_pretrained
from mmregioncl.engine.storage import find_checkpoint
from mmregioncl.models.utils import feature_map
from .features import fingerprint
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
        how='exact cosine k-NN with votes of exp(similarity / T), on '
        'features as they are')


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
    finite = {rate: s for rate, s in scores.items() if s == s}
    if not finite:
        raise ValueError('all classifiers diverged: lower --learning-rates')
    best = max(finite, key=finite.get)
    numbers = {'top-1, best learning rate': scores[best]}
    numbers.update({
        f'top-1, learning rate {rate:g}': score
        for rate, score in finite.items()
    })
    return dict(
        numbers=numbers,
        how=f'SGD for {epochs} epochs of {batch_size} on features of images '
        'without augmentation, the rate divided by 10 at 60 % and 80 %; the '
        'best rate is chosen on the test set')


def svm(study: Study, costs: Sequence[float] = COSTS) -> dict:
    """SVMs, one for each class, as on VOC07."""
    result = svm_map(*splits(study), costs)
    return dict(
        numbers={'mAP': float(np.mean(result['ap']))},
        how='LinearSVC for each class on the averaged last map at unit '
        'length (published numbers take larger maps), its cost chosen by '
        '3-fold cross validation',
        details=result)


def low_shot(study: Study,
             shots: Sequence[int] = SHOTS,
             samples: int = 5,
             costs: Sequence[float] = COSTS) -> dict:
    """SVMs that learn from a few images of each class, as on VOC07."""
    result = low_shot_map(*splits(study), shots, samples, costs, study.seed)
    if not result:
        raise ValueError(f'a class has fewer than {min(shots)} images')
    names = {count: f'mAP, {count} of a class' for count in result}
    return dict(
        numbers={
            names[count]: mean
            for count, (mean, _) in result.items()
        },
        spread={
            names[count]: std
            for count, (_, std) in result.items()
        },
        how=f'as svm, from a few images of each class; mean and standard '
        f'deviation of {samples} draws, the cost chosen on the test set as '
        'published')


def splits(study: Study) -> list:
    """Both sets as SVMs take them."""
    sets = [study.features(split) for split in ('train', 'test')]
    classes = max(labels.shape[1] if labels.ndim > 1 else int(labels.max()) + 1
                  for _, labels in sets)
    return [make_split(*part, classes) for part in sets]


def recipe(study: Study, config: str, digest: str) -> dict:
    """Train a classifier by a config, from the backbone of the checkpoint.

    In this process alone: gradients are accumulated over as many batches as
    the config has processes.

    Args:
        study (Study): Its backbone and normalisation take the place of those
            of the config.
        config (str): File of ``configs/benchmarks/classification``.
        digest (str): Of its content, by :func:`config_digest`.
    """
    cfg = Config.fromfile(config)
    name = Path(config).stem
    set_pretrained(cfg, study.checkpoint or 'none')
    adopt_backbone(cfg, study)
    processes = int((re.findall(r'(\d+)xb', name) or [1])[0])
    cfg.optim_wrapper.accumulative_counts = processes
    cfg.work_dir = str(study.out / f'{name}-{digest}')
    cfg.experiment_name = cfg.work_dir.replace('/', '-')
    cfg.randomness = dict(seed=study.seed)
    check_data(cfg, 'train_dataloader', 'val_dataloader')
    last = find_checkpoint(cfg.work_dir)
    if last:
        cfg.update(resume=True, load_from=last)
    try:
        runner = Runner.from_cfg(cfg)
        runner.train()
        study.data = dict(
            train=fingerprint(runner.train_dataloader.dataset),
            test=fingerprint(runner.val_dataloader.dataset))
        scores = runner.message_hub.get_scalar('val/accuracy/top1').data[0]
        scores = scores.tolist()
        if len(scores) < runner.max_epochs:  # killed before the last was over
            scores.append(runner.val()['accuracy/top1'])
    finally:  # it was that of the classifier's package
        init_default_scope(study.cfg.get('default_scope', 'mmselfsup'))
    batch = processes * cfg.train_dataloader.batch_size
    return dict(
        numbers={
            'top-1, last epoch': scores[-1] / 100,
            'top-1, best epoch': max(scores) / 100
        },
        how=f'{runner.max_epochs} epochs of batches of {batch}, with '
        'augmentation; the best epoch is chosen on the test set')


def config_digest(config: str) -> str:
    """Short name of what a config says, with its bases.

    Args:
        config (str): File.
    """
    text = Config.fromfile(config).pretty_text
    return hashlib.sha256(text.encode()).hexdigest()[:8]


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
    if 'norm_cfg' in cfg.model.backbone:  # of one process, and on a CPU too
        cfg.model.backbone['norm_cfg'] = dict(type='BN')
    for key in ('mean', 'std'):
        cfg.data_preprocessor[key] = theirs.data_preprocessor[key]
    weight = next(study.model.backbone.parameters())
    maps = study.model.backbone(weight.new_zeros(1, 3, 64, 64))
    cfg.model.head.in_channels = feature_map(maps).shape[1]


FEATURE_PROTOCOLS: Dict[str, Callable[..., dict]] = {
    'knn': knn,
    'linear': linear,
    'svm': svm,
    'low-shot': low_shot
}
