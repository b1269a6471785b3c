"""Protocols to evaluate representations.

Each accepts an :class:`EvaluationRun` and returns a dict with ``numbers`` and
``how``, and optionally ``spread`` and ``details``.
"""
from typing import Callable, Dict, Sequence, Tuple

import numpy as np
from mmengine.device import get_device
from torch import Tensor

from .data import warn_of_one_class
from .knn import accuracy, fitting_neighbours, knn_predict
from .linear import linear_probes
from .run import EvaluationRun
from .svm import COSTS, SHOTS, Split, low_shot_map, make_split, svm_map

RATES = (0.01, 0.03, 0.1, 0.3, 1., 3., 10., 30.)


def single(labels: Tensor, protocol: str) -> Tensor:
    """Return the labels if each image has one.

    Raises:
        ValueError: If an image has several labels.
    """
    if labels.ndim > 1:
        raise ValueError(f'{protocol} needs one label for each image, but '
                         'these have several: use svm or low-shot')
    return labels


def knn(
    run: EvaluationRun,
    k: Sequence[int] = (20, 200),
    temperature: Sequence[float] = (0.1, 0.07)
) -> dict:
    """Top-1 accuracy of k-NN for each k and temperature.

    Values of k above the number of train images are skipped, unless all are.
    """
    train, train_labels = run.features('train')
    warn_of_one_class(train_labels, 'k-NN')
    k = fitting_neighbours(k, len(train), 'knn')
    test, test_labels = run.features('test')
    test_labels = single(test_labels, 'knn').to(get_device())
    found = knn_predict(train, single(train_labels, 'knn'),
                        test.to(get_device()), k, temperature)
    return dict(
        numbers={
            f'top-1, k={number}, T={value}': accuracy(labels, test_labels)
            for (number, value), labels in found.items()
        },
        how='exact cosine k-NN with votes of exp(similarity / T), on '
        'features as they are')


def linear(run: EvaluationRun,
           rates: Sequence[float] = RATES,
           epochs: int = 100,
           batch_size: int = 256) -> dict:
    """Top-1 accuracy of a linear classifier for each learning rate."""
    train, train_labels = run.features('train')
    warn_of_one_class(train_labels, 'the linear classifier')
    test, test_labels = run.features('test')
    device = get_device()
    scores = linear_probes(
        train.to(device),
        single(train_labels, 'linear').to(device), test.to(device),
        single(test_labels, 'linear').to(device), rates, epochs, batch_size,
        run.seed)
    finite = {rate: score for rate, score in scores.items() if score == score}
    if not finite:
        raise ValueError('all classifiers diverged: lower --learning-rates')
    best = max(finite, key=lambda rate: finite[rate])
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


def svm(run: EvaluationRun, costs: Sequence[float] = COSTS) -> dict:
    """Mean average precision of SVMs, one for each class, as on VOC07."""
    train, test = splits(run)
    result = svm_map(train, test, costs)
    return dict(
        numbers={'mAP': float(np.mean(result['ap']))},
        how='LinearSVC for each class on the averaged last map at unit '
        'length (published numbers use larger maps), its cost chosen by '
        '3-fold cross validation',
        details=result)


def low_shot(run: EvaluationRun,
             shots: Sequence[int] = SHOTS,
             samples: int = 5,
             costs: Sequence[float] = COSTS) -> dict:
    """Mean average precision of SVMs trained on a few images per class."""
    train, test = splits(run)
    result = low_shot_map(train, test, shots, samples, costs, run.seed)
    if not result:
        raise ValueError(f'a class has fewer than {min(shots)} images: leave '
                         'out the class, or the protocol')
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


def splits(run: EvaluationRun) -> Tuple[Split, Split]:
    """Train and test set in the form that SVMs need."""
    train, test = run.features('train'), run.features('test')
    classes = max(labels.shape[1] if labels.ndim > 1 else int(labels.max()) + 1
                  for _, labels in (train, test))
    return make_split(*train, classes), make_split(*test, classes)


FEATURE_PROTOCOLS: Dict[str, Callable[..., dict]] = {
    'knn': knn,
    'linear': linear,
    'svm': svm,
    'low-shot': low_shot
}
