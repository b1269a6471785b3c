from typing import Sequence, Tuple

import torch
from torch import Tensor
from torch.nn import functional as F


def nearest(train_features: Tensor,
            values: Tensor,
            test_features: Tensor,
            k: int,
            block: int = 4096) -> Tuple[Tensor, Tensor]:
    """The k nearest train features of each test feature, by cosine.

    Both sides are compared in blocks, of which the k best so far are kept:
    memory grows with M k, not with M N. All is done where the test features
    are.

    Args:
        train_features (Tensor): Shape (N, C), of any length.
        values (Tensor): What is told of the neighbours, shape (N,), such as
            their labels or indices.
        test_features (Tensor): Shape (M, C), of any length.
        k (int): Number of neighbours, at most N.
        block (int): Features of either side compared at a time. Defaults to
            4096.

    Returns:
        tuple[Tensor, Tensor]: Similarities, greatest first, and the values of
        the neighbours, (M, k) each.
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
    """The k best of the neighbours in several blocks.

    Args:
        k (int): How many to keep, where there are as many.
        similarities (Sequence[Tensor]): Shape (M, any) each.
        values (Sequence[Tensor]): Likewise.

    Returns:
        tuple[Tensor, Tensor]: Similarities, greatest first, and their values,
        (M, k) each.
    """
    every = torch.cat(list(similarities), dim=1)
    best = every.topk(min(k, every.shape[1]))
    return best.values, torch.cat(list(values), dim=1).gather(1, best.indices)


def vote(similarity: Tensor, labels: Tensor, temperature: float,
         classes: int) -> Tensor:
    """What the neighbours elect, with votes of exp(similarity / temperature).

    The protocol of InstDisc, Sec. 3.4 (https://arxiv.org/abs/1805.01978). Of
    classes with equal votes the lowest label wins.

    Args:
        similarity (Tensor): Shape (M, k), greatest first.
        labels (Tensor): Of the neighbours, (M, k), int64.
        temperature (float): Temperature of the votes.
        classes (int): How many there are.

    Returns:
        Tensor: Labels of shape (M,), int64.
    """
    # All votes of a row over the greatest one, which cannot overflow.
    votes = ((similarity - similarity[:, :1]) / temperature).exp()
    tally = votes.new_zeros(len(votes), classes)
    return tally.scatter_add_(1, labels, votes).argmax(1)


def check_neighbours(k: int, temperature: float, count: int) -> None:
    """Refuse what no vote can be held with.

    Args:
        k (int): Number of neighbours that vote.
        temperature (float): Temperature of the votes.
        count (int): Number of train features.
    """
    if temperature <= 0:
        raise ValueError(f'temperature={temperature} must be above 0')
    if not 1 <= k <= count:
        raise ValueError(f'k={k} neighbours of {count} train '
                         'features: set k between 1 and their number')


def knn_classify(train_features: Tensor,
                 train_labels: Tensor,
                 test_features: Tensor,
                 k: int,
                 temperature: float,
                 block: int = 4096) -> Tensor:
    """Exact cosine k-NN: :func:`nearest`, then :func:`vote`.

    Args:
        train_features (Tensor): Shape (N, C), of any length.
        train_labels (Tensor): Shape (N,), int64, from 0 on.
        test_features (Tensor): Shape (M, C), of any length.
        k (int): Number of neighbours that vote.
        temperature (float): Temperature of the votes.
        block (int): Features compared at a time. Defaults to 4096.

    Returns:
        Tensor: Labels of shape (M,), int64.

    Raises:
        ValueError: If there are fewer than k train features, or the
            temperature is not above 0.
    """
    check_neighbours(k, temperature, len(train_features))
    similarity, labels = nearest(train_features, train_labels, test_features,
                                 k, block)
    return vote(similarity, labels, temperature, int(train_labels.max()) + 1)


def knn_accuracy(train_features: Tensor,
                 train_labels: Tensor,
                 test_features: Tensor,
                 test_labels: Tensor,
                 k: int = 20,
                 temperature: float = 0.1) -> float:
    """Share of test features that :func:`knn_classify` labels rightly."""
    labels = knn_classify(train_features, train_labels, test_features, k,
                          temperature)
    return (labels == test_labels).float().mean().item()
