"""Linear SVMs on frozen features, as on VOC07."""
import warnings
from typing import Dict, NamedTuple, Sequence, Tuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import LinearSVC
from torch import Tensor

from .progress import with_progress

# Published: 10^-7 to 10^2, and 2^-4 to 2^-19
COSTS = (*(10.**power for power in range(-7, 3)), *(0.5**power
                                                    for power in range(4, 20)))
SHOTS = (1, 2, 4, 8, 16, 32, 64, 96)


class Split(NamedTuple):
    """Normalized features and the classes of their images.

    ``features`` is (N, C) float64; ``targets`` (N, classes) is 1 if an image
    has the class, 0 if not, and -1 if it is left out for this class.
    """
    features: np.ndarray
    targets: np.ndarray


def make_split(features: Tensor, labels: Tensor, classes: int) -> Split:
    """Normalize features and turn labels into one target per class.

    Args:
        features (Tensor): Shape (N, C), of any length.
        labels (Tensor): As from :func:`~mmregioncl.evaluation.read_labels`.
        classes (int): Number of classes.
    """
    rows = features.double().numpy()
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    targets = labels.numpy()
    if targets.ndim == 1:
        targets = np.eye(classes, dtype=np.int8)[targets]
    return Split(rows / (lengths + 1e-5), targets)


class SVM(LinearSVC):
    """LinearSVC without warnings when it stops at ``max_iter``."""

    def fit(self, *args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', ConvergenceWarning)
            return super().fit(*args, **kwargs)


def svm(cost: float) -> SVM:
    """The published classifier, in which positive images count twice.

    The published code solves the dual problem, which does not converge at high
    costs. With more images than features, this solves the primal problem: it
    has the same solution and is faster.
    """
    return SVM(
        C=cost,
        class_weight={
            1: 2,
            -1: 1
        },
        tol=1e-4,
        dual='auto',
        max_iter=2000,
        random_state=0)


def average_precision(targets: np.ndarray, scores: np.ndarray) -> float:
    """Area under the precision-recall curve, with monotonic precision.

    As in VOC since 2010: the precision at a recall is the highest precision at
    this or a higher recall.

    Args:
        targets (ndarray): 1 for images with the class, (N,).
        scores (ndarray): Scores of the images, (N,).
    """
    hits = (targets[np.argsort(-scores, kind='stable')] == 1)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[hits].mean())


def signs(split: Split, number: int) -> np.ndarray:
    """1 for images with the class, -1 for all others, (N,)."""
    return np.where(split.targets[:, number] == 1, 1, -1)


def validate(split: Split, number: int, cost: float) -> float:
    """Average precision of a class in 3-fold cross-validation.

    Folds are random, since folders list images class by class.

    Args:
        split (Split): Train set.
        number (int): The class.
        cost (float): Cost of the SVM.
    """
    return cross_val_score(
        svm(cost),
        split.features,
        signs(split, number),
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        scoring='average_precision').mean()


def train_and_test(train: Split, test: Split, number: int,
                   cost: float) -> float:
    """Average precision of the SVM of a class on the test set."""
    model = svm(cost).fit(train.features, signs(train, number))
    return evaluate(model, test, number)


def evaluate(model: SVM, split: Split, number: int) -> float:
    """Average precision of the SVM of a class."""
    used = split.targets[:, number] != -1
    scores = model.decision_function(split.features[used])
    return average_precision(split.targets[used, number], scores)


def svm_map(train: Split,
            test: Split,
            costs: Sequence[float] = COSTS,
            workers: int = -1) -> Dict[str, list]:
    """Train and test one SVM for each class.

    The protocol of `Scaling and Benchmarking Self-Supervised Visual
    Representation Learning <https://arxiv.org/abs/1905.01235>`_, Sec. 6.1: the
    cost of each class is chosen by 3-fold cross-validation on the train set.

    Args:
        train (Split): Train set; targets of -1 count as 0.
        test (Split): Test set; targets of -1 are left out.
        costs (Sequence[float]): Costs to choose from. Defaults to the
            published ones.
        workers (int): Number of processes. Defaults to -1, one per core.

    Returns:
        dict[str, list]: ``ap`` and ``cost`` of each class.

    Raises:
        ValueError: If a class has fewer than 3 train images or no test image.
    """
    check_counts(train, 3, 'train')
    check_counts(test, 1, 'test')
    classes = range(train.targets.shape[1])
    parallel = Parallel(workers, return_as='generator')
    pairs = [(number, cost) for number in classes for cost in costs]
    jobs = (delayed(validate)(train, *pair) for pair in pairs)
    scores = [*with_progress(parallel(jobs), 'svm, costs', len(pairs))]
    best = np.reshape(scores, (-1, len(costs))).argmax(1)
    chosen = [costs[index] for index in best]
    jobs = (
        delayed(train_and_test)(train, test, *pair)
        for pair in enumerate(chosen))
    aps = [*with_progress(parallel(jobs), 'svm, classes', len(chosen))]
    return dict(ap=aps, cost=chosen)


def draw_few(targets: np.ndarray, shots: int,
             generator: np.random.Generator) -> np.ndarray:
    """Draw a few images for each class.

    Args:
        targets (ndarray): Shape (N, classes).
        shots (int): Images with the class. Of images without it,
            ``shots * (classes - 1)`` are drawn, or all if there are fewer.
        generator (numpy.random.Generator): Generator of the draws.

    Returns:
        ndarray: Targets of these images and -1 for all others, (N, classes).
    """
    few = np.full_like(targets, -1)
    for number, column in enumerate(targets.T):
        for value, count in ((1, shots), (0, shots * (targets.shape[1] - 1))):
            rows = np.flatnonzero(column == value)
            rows = generator.permutation(rows)[:count]
            few[rows, number] = value
    return few


def train_few(train: Split, test: Split, few: np.ndarray,
              cost: float) -> float:
    """Mean average precision of SVMs trained on a few images."""
    precisions = []
    for number, column in enumerate(few.T):
        rows = column != -1
        targets = np.where(column[rows] == 1, 1, -1)
        model = svm(cost).fit(train.features[rows], targets)
        precisions.append(evaluate(model, test, number))
    return float(np.mean(precisions))


def low_shot_map(train: Split,
                 test: Split,
                 shots: Sequence[int] = SHOTS,
                 samples: int = 5,
                 costs: Sequence[float] = COSTS,
                 seed: int = 0) -> Dict[int, Tuple[float, float]]:
    """Train SVMs on a few images of each class.

    The low-shot protocol of the same paper, Sec. 6.2. Several draws are made
    for each number of images. The cost is chosen on the test set, by the mean
    of the draws, as published.

    Args:
        train (Split): Train set to draw from.
        test (Split): Test set.
        shots (Sequence[int]): Numbers of images; those above the size of the
            smallest class are skipped. Defaults to the published ones.
        samples (int): Number of draws. Defaults to 5.
        costs (Sequence[float]): Costs to choose from. Defaults to the
            published ones.
        seed (int): Seed of the draws. Defaults to 0.

    Returns:
        dict[int, tuple[float, float]]: Mean and standard deviation of the mAP
        for each number of images.

    Raises:
        ValueError: If a class has no image.
    """
    check_counts(train, 1, 'train')
    check_counts(test, 1, 'test')
    smallest = int((train.targets == 1).sum(0).min())
    shots = [number for number in shots if number <= smallest]
    generator = np.random.default_rng(seed)
    draws = [[
        draw_few(train.targets, number, generator) for _ in range(samples)
    ] for number in shots]
    jobs = (
        delayed(train_few)(train, test, few, cost) for rows in draws
        for few in rows for cost in costs)
    total = len(shots) * samples * len(costs)
    maps = list(
        with_progress(
            Parallel(-1, return_as='generator')(jobs), 'low-shot, SVMs',
            total))
    tables = np.reshape(maps, (len(shots), samples, len(costs)))
    best = tables.mean(1).argmax(1)
    return {
        number: (float(table[:, cost].mean()), float(table[:, cost].std()))
        for number, table, cost in zip(shots, tables, best)
    }


def check_counts(split: Split, minimum: int, name: str) -> None:
    """Check that each class has enough images.

    Raises:
        ValueError: If a class has fewer.
    """
    counts = (split.targets == 1).sum(0)
    number = int(counts.argmin())
    if counts[number] < minimum:
        raise ValueError(
            f'class {number} has {counts[number]} {name} images, but an SVM '
            f'needs {minimum} or more: leave out the class, or the protocol')
