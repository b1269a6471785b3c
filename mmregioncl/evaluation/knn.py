"""Exact k-NN by cosine similarity."""
import logging
from typing import Dict, Sequence, Tuple

import torch
from mmengine.logging import print_log
from torch import Tensor
from torch.nn import functional as F


def accuracy(found: Tensor, labels: Tensor) -> float:
    """Share of predicted labels (N,) that are right."""
    return (found == labels).float().mean().item()


def nearest(train_features: Tensor,
            values: Tensor,
            test_features: Tensor,
            k: int,
            block: int = 4096) -> Tuple[Tensor, Tensor]:
    """Find the k nearest train features of each test feature.

    Features are compared in blocks and only the k best are kept, so memory
    grows with M k, not with M N. The result is on the device of the test
    features.

    Args:
        train_features (Tensor): Shape (N, C), of any length.
        values (Tensor): Values of the train features, shape (N,), such as
            their labels or indices.
        test_features (Tensor): Shape (M, C), of any length.
        k (int): Number of neighbors, at most N.
        block (int): Features compared at a time. Defaults to 4096.

    Returns:
        tuple[Tensor, Tensor]: Cosine similarities in descending order, and the
        values of the neighbors, (M, k) each.
    """
    test_features = F.normalize(test_features, dim=1)
    best = test_features.new_empty(len(test_features), 0)
    found = values.new_empty(len(test_features), 0).to(best.device)
    for train, value in zip(train_features.split(block), values.split(block)):
        train = F.normalize(train.to(best.device), dim=1)
        value = value.to(best.device)
        close, columns = [], []
        for test in test_features.split(block):
            top = (test @ train.T).topk(min(k, len(train)))  # (B, k)
            close.append(top.values)
            columns.append(top.indices)
        best, found = keep_best(k, [best, torch.cat(close)],
                                [found, value[torch.cat(columns)]])
    return best, found


def keep_best(k: int, similarities: Sequence[Tensor],
              values: Sequence[Tensor]) -> Tuple[Tensor, Tensor]:
    """Keep the k best neighbors of several blocks.

    Args:
        k (int): Number of neighbors to keep; all if there are fewer.
        similarities (Sequence[Tensor]): Shape (M, any) each.
        values (Sequence[Tensor]): Shape (M, any) each.

    Returns:
        tuple[Tensor, Tensor]: Similarities in descending order, and their
        values, (M, k) each.
    """
    every = torch.cat(list(similarities), dim=1)
    best = every.topk(min(k, every.shape[1]))
    return best.values, torch.cat(list(values), dim=1).gather(1, best.indices)


def vote(similarity: Tensor, labels: Tensor, temperature: float,
         classes: int) -> Tensor:
    """Predict labels by votes of exp(similarity / temperature).

    The protocol of InstDisc, Sec. 3.4 (https://arxiv.org/abs/1805.01978). The
    lowest label wins a tie.

    Args:
        similarity (Tensor): Shape (M, k), in descending order.
        labels (Tensor): Labels of the neighbors, (M, k), int64.
        temperature (float): Temperature of the votes.
        classes (int): Number of classes.

    Returns:
        Tensor: Labels of shape (M,), int64.
    """
    # Relative to the largest vote of the row, to avoid overflow
    votes = ((similarity - similarity[:, :1]) / temperature).exp()
    tally = votes.new_zeros(len(votes), classes)
    return tally.scatter_add_(1, labels, votes).argmax(1)


def knn_votes(similarity: Tensor, labels: Tensor, k: Sequence[int],
              temperature: Sequence[float],
              classes: int) -> Dict[Tuple[int, float], Tensor]:
    """Predict labels with :func:`vote` for every k and temperature.

    Args:
        similarity (Tensor): Shape (M, max(k)), in descending order.
        labels (Tensor): Labels of the neighbors, (M, max(k)), int64.
        k (Sequence[int]): Numbers of neighbors that vote.
        temperature (Sequence[float]): Temperatures of the votes.
        classes (int): Number of classes.

    Returns:
        dict[tuple[int, float], Tensor]: Labels of shape (M,), int64, by k and
        temperature.
    """
    return {
        (number, value):
        vote(similarity[:, :number], labels[:, :number], value, classes)
        for number in k
        for value in temperature
    }


def check_neighbours(k: int, temperature: float, count: int) -> None:
    """Check the settings of a k-NN classifier.

    Args:
        k (int): Number of neighbors that vote.
        temperature (float): Temperature of the votes.
        count (int): Number of train features.

    Raises:
        ValueError: If there are fewer than k train features, or the
            temperature is not above 0.
    """
    if temperature <= 0:
        raise ValueError(f'temperature={temperature} must be above 0')
    if not 1 <= k <= count:
        raise ValueError(f'k={k} neighbors of {count} train '
                         'features: set k between 1 and their number')


def fitting_neighbours(k: Sequence[int], count: int,
                       owner: str) -> Sequence[int]:
    """Leave out numbers of neighbors above the number of train images.

    Args:
        k (Sequence[int]): Numbers of neighbors that vote.
        count (int): Number of train images.
        owner (str): Hook or protocol, for the messages.

    Returns:
        Sequence[int]: Those that fit, at least one.

    Raises:
        ValueError: If none fits.
    """
    fitting = [number for number in k if number <= count]
    if not fitting:
        raise ValueError(f'there are only {count} train images for '
                         f'k={min(k)} of {owner}: set it to at most their '
                         'number')
    left_out = [str(number) for number in k if number > count]
    if left_out:
        print_log(
            f'{owner} skips k={", ".join(left_out)}: there are only {count} '
            'train images', 'current', logging.WARNING)
    return fitting


def knn_predict(train_features: Tensor,
                train_labels: Tensor,
                test_features: Tensor,
                k: Sequence[int],
                temperature: Sequence[float],
                block: int = 4096) -> Dict[Tuple[int, float], Tensor]:
    """Classify by exact k-NN with every k and temperature.

    Args:
        train_features (Tensor): Shape (N, C), of any length.
        train_labels (Tensor): Shape (N,), int64, from 0 on.
        test_features (Tensor): Shape (M, C), of any length.
        k (Sequence[int]): Numbers of neighbors that vote.
        temperature (Sequence[float]): Temperatures of the votes.
        block (int): Features compared at a time. Defaults to 4096.

    Returns:
        dict[tuple[int, float], Tensor]: Labels of shape (M,), int64, by k and
        temperature.

    Raises:
        ValueError: If there are fewer than k train features, or a temperature
            is not above 0.
    """
    for number in k:
        for value in temperature:
            check_neighbours(number, value, len(train_features))
    similarity, labels = nearest(train_features, train_labels, test_features,
                                 max(k), block)
    return knn_votes(similarity, labels, k, temperature,
                     int(train_labels.max()) + 1)


def knn_classify(train_features: Tensor,
                 train_labels: Tensor,
                 test_features: Tensor,
                 k: int,
                 temperature: float,
                 block: int = 4096) -> Tensor:
    """Classify by exact k-NN, as :func:`knn_predict`.

    Returns:
        Tensor: Labels of shape (M,), int64.
    """
    return knn_predict(train_features, train_labels, test_features, [k],
                       [temperature], block)[k, temperature]


def knn_accuracy(train_features: Tensor,
                 train_labels: Tensor,
                 test_features: Tensor,
                 test_labels: Tensor,
                 k: int = 20,
                 temperature: float = 0.1) -> float:
    """Accuracy of :func:`knn_classify` on the test features."""
    labels = knn_classify(train_features, train_labels, test_features, k,
                          temperature)
    return accuracy(labels, test_labels)
