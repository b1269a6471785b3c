import torch
from torch import Tensor
from torch.nn import functional as F


def knn_classify(train_features: Tensor,
                 train_labels: Tensor,
                 test_features: Tensor,
                 k: int,
                 temperature: float,
                 block: int = 1024) -> Tensor:
    """Exact cosine k-NN with votes of exp(similarity / temperature).

    The protocol of InstDisc, Sec. 3.4 (https://arxiv.org/abs/1805.01978). Of
    classes with equal votes the lowest label wins.

    Args:
        train_features (Tensor): Shape (N, C), of any length.
        train_labels (Tensor): Shape (N,), int64, from 0 on.
        test_features (Tensor): Shape (M, C), of any length.
        k (int): Number of neighbours that vote.
        temperature (float): Temperature of the votes.
        block (int): Test features compared at a time. Defaults to 1024.

    Returns:
        Tensor: Labels of shape (M,), int64.

    Raises:
        ValueError: If there are fewer than k train features, or the
            temperature is not above 0.
    """
    if temperature <= 0:
        raise ValueError(f'temperature={temperature} must be above 0')
    if not 1 <= k <= len(train_features):
        raise ValueError(f'k={k} neighbours of {len(train_features)} train '
                         'features: set k between 1 and their number')
    train_features = F.normalize(train_features, dim=1)
    classes = int(train_labels.max()) + 1

    labels = []
    for features in F.normalize(test_features, dim=1).split(block):
        similarity, neighbours = (features @ train_features.T).topk(k)  # (B,k)
        # All votes of a row over the greatest one, which cannot overflow.
        votes = ((similarity - similarity[:, :1]) / temperature).exp()
        tally = votes.new_zeros(len(features), classes)  # (B, classes)
        tally.scatter_add_(1, train_labels[neighbours], votes)
        labels.append(tally.argmax(1))
    return torch.cat(labels)


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
