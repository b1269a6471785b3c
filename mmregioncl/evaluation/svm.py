"""Linear SVMs on frozen features, as on VOC07."""
import warnings
from typing import Dict, NamedTuple, Sequence, Tuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import LinearSVC
from torch import Tensor
from tqdm import tqdm

# Published: 10^-7 to 10^2, and 2^-4 to 2^-19
COSTS = (*(10.**power for power in range(-7, 3)), *(0.5**power
                                                    for power in range(4, 20)))
SHOTS = (1, 2, 4, 8, 16, 32, 64, 96)


class Split(NamedTuple):
    """Features of unit length, and which classes their images hold.

    ``features`` is (N, C) float64; ``targets`` (N, classes) is 1 where an
    image holds the class, 0 where not, and -1 where it is not to be judged.
    """
    features: np.ndarray
    targets: np.ndarray


def make_split(features: Tensor, labels: Tensor, classes: int) -> Split:
    """Features and labels as SVMs take them.

    Args:
        features (Tensor): Shape (N, C), of any length.
        labels (Tensor): As of :func:`~mmregioncl.evaluation.read_labels`.
        classes (int): How many there are.
    """
    features = features.double().numpy()
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    targets = labels.numpy()
    if targets.ndim == 1:
        targets = np.eye(classes, dtype=np.int8)[targets]
    return Split(features / (lengths + 1e-5), targets)


class SVM(LinearSVC):
    """Stops at the published number of steps, and does not complain."""

    def fit(self, *args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', ConvergenceWarning)
            return super().fit(*args, **kwargs)


def svm(cost: float) -> SVM:
    """The published classifier; an image with the class counts twice.

    The published code solves the dual problem, and stops before it is solved
    at great costs. Where images outnumber features, the primal one has the
    same solution, and is solved sooner.
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
    """Area below the precision-recall curve, with precision made monotonic.

    As VOC has it since 2010: at each recall the best precision from there on.

    Args:
        targets (ndarray): 1 or not, (N,).
        scores (ndarray): The greater, the surer, (N,).
    """
    hits = (targets[np.argsort(-scores, kind='stable')] == 1)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[hits].mean())


def train_svm(split: Split, number: int,
              costs: Sequence[float]) -> Tuple[SVM, float]:
    """The SVM of a class, of the cost that is best in 3-fold validation.

    Folds are drawn at random: folders list images class by class.
    """
    targets = np.where(split.targets[:, number] == 1, 1, -1)
    scores = [
        cross_val_score(
            svm(cost),
            split.features,
            targets,
            cv=StratifiedKFold(3, shuffle=True, random_state=0),
            scoring='average_precision').mean() for cost in costs
    ]
    cost = costs[int(np.argmax(scores))]
    return svm(cost).fit(split.features, targets), cost


def judge(model: SVM, split: Split, number: int) -> float:
    """Average precision of the SVM of a class."""
    judged = split.targets[:, number] != -1
    scores = model.decision_function(split.features[judged])
    return average_precision(split.targets[judged, number], scores)


def svm_map(train: Split,
            test: Split,
            costs: Sequence[float] = COSTS,
            workers: int = -1) -> Dict[str, list]:
    """One SVM for each class, as of Goyal et al.

    The protocol of `Scaling and Benchmarking Self-Supervised Visual
    Representation Learning <https://arxiv.org/abs/1905.01235>`_, Sec. 6.1: the
    cost of each class is chosen by 3-fold cross validation on the train set.

    Args:
        train (Split): Images that are not to be judged count as without.
        test (Split): These are left out.
        costs (Sequence[float]): To choose from. Defaults to the published.
        workers (int): Processes. Defaults to -1, one for each core.

    Returns:
        dict[str, list]: ``ap`` and ``cost`` of each class.

    Raises:
        ValueError: If a class has fewer than 3 images to train on, or none to
            test on.
    """
    check_counts(train, 3, 'train')
    check_counts(test, 1, 'test')
    classes = range(train.targets.shape[1])
    jobs = (delayed(train_svm)(train, number, costs) for number in classes)
    models = list(
        follow(
            Parallel(workers, return_as='generator')(jobs), 'svm',
            len(classes)))
    return dict(
        ap=[judge(model, test, n) for n, (model, _) in enumerate(models)],
        cost=[cost for _, cost in models])


def draw_few(targets: np.ndarray, shots: int,
             generator: np.random.Generator) -> np.ndarray:
    """Targets of a few images, and -1 for all others.

    Args:
        targets (ndarray): Shape (N, classes).
        shots (int): Images with a class; of those without, as many for each
            other class, or all if there are fewer.
        generator (numpy.random.Generator): What draws them.

    Returns:
        ndarray: Shape (N, classes).
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
    """MAP of SVMs that learned from a few images."""
    precisions = []
    for number, column in enumerate(few.T):
        rows = column != -1
        targets = np.where(column[rows] == 1, 1, -1)
        model = svm(cost).fit(train.features[rows], targets)
        precisions.append(judge(model, test, number))
    return float(np.mean(precisions))


def low_shot_map(train: Split,
                 test: Split,
                 shots: Sequence[int] = SHOTS,
                 samples: int = 5,
                 costs: Sequence[float] = COSTS,
                 seed: int = 0,
                 workers: int = -1) -> Dict[int, Tuple[float, float]]:
    """SVMs that learn from a few images of each class.

    The low-shot protocol of the same paper, Sec. 6.2: of each number of images
    some independent draws; the cost is the one with the best mean on the test
    set, as published.

    Args:
        train (Split): To draw from.
        test (Split): All of it is judged.
        shots (Sequence[int]): Numbers of images; those that a class does not
            have are left out. Defaults to the published.
        samples (int): Draws of each. Defaults to 5.
        costs (Sequence[float]): Defaults to the published.
        seed (int): Of the draws. Defaults to 0.
        workers (int): Processes. Defaults to -1, one for each core.

    Returns:
        dict[int, tuple[float, float]]: Mean and standard deviation of the mAP
        by the number of images.

    Raises:
        ValueError: If a class has no image.
    """
    check_counts(train, 1, 'train')
    check_counts(test, 1, 'test')
    least = int((train.targets == 1).sum(0).min())
    shots = [number for number in shots if number <= least]
    generator = np.random.default_rng(seed)
    draws = [[
        draw_few(train.targets, number, generator) for _ in range(samples)
    ] for number in shots]
    jobs = (
        delayed(train_few)(train, test, few, cost) for rows in draws
        for few in rows for cost in costs)
    total = len(shots) * samples * len(costs)
    maps = list(
        follow(
            Parallel(workers, return_as='generator')(jobs), 'low-shot', total))
    maps = np.reshape(maps, (len(shots), samples, len(costs)))
    best = maps.mean(1).argmax(1)
    return {
        number: (float(table[:, cost].mean()), float(table[:, cost].std()))
        for number, table, cost in zip(shots, maps, best)
    }


def follow(jobs, name: str, total: int):
    """A progress bar on a terminal."""
    return tqdm(jobs, desc=name, total=total, disable=None, leave=False)


def check_counts(split: Split, least: int, name: str) -> None:
    """Refuse classes with too few images.

    Raises:
        ValueError: If there is one.
    """
    counts = (split.targets == 1).sum(0)
    number = int(counts.argmin())
    if counts[number] < least:
        raise ValueError(
            f'class {number} has {counts[number]} {name} images, and an SVM '
            f'takes {least} or more: leave the class out, or the protocol')
