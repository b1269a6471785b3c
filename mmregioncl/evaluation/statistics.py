"""Statistics of embeddings that need no labels."""
import torch
from torch import Tensor
from torch.nn import functional as F


def relative_std(embeddings: Tensor) -> float:
    """Standard deviation of normalized embeddings, relative to a uniform one.

    The standard deviation of SimSiam (https://arxiv.org/abs/2011.10566), Sec.
    4.1, divided by 1 / sqrt(D), its value for a uniform distribution on the
    sphere.

    Args:
        embeddings (Tensor): Shape (N, D), of any length.

    Returns:
        float: 1 for a uniform distribution, 0 for collapsed embeddings.
    """
    unit = F.normalize(embeddings.double(), dim=1)
    return unit.std(0, correction=0).mean().item() * unit.shape[1]**0.5


def rankme(features: Tensor) -> float:
    """RankMe (https://arxiv.org/abs/2210.02885), an effective rank.

    The exponential of the entropy of the singular values divided by their
    sum.

    Args:
        features (Tensor): Shape (N, C); they are not centered.

    Returns:
        float: From 1, if all rows are multiples of one, to min(N, C); NaN if a
        feature is not finite.
    """
    if not features.isfinite().all():
        return float('nan')
    values = torch.linalg.svdvals(features.double())
    if not values.any():
        return 1.  # all zero: the lowest rank
    return torch.special.entr(values / values.sum()).sum().exp().item()


def alignment(first: Tensor, second: Tensor) -> float:
    """Mean squared distance of normalized positive pairs.

    As in Wang and Isola (https://arxiv.org/abs/2005.10242), Sec. 4.1, with
    alpha = 2.

    Args:
        first (Tensor): Shape (N, D), of any length.
        second (Tensor): Shape (N, D); rows i of both are a pair.

    Returns:
        float: From 0, if pairs are equal, to 4, if they are opposite.
    """
    first, second = (F.normalize(x.double(), dim=1) for x in (first, second))
    return (first - second).square().sum(1).mean().item()


def uniformity(embeddings: Tensor) -> float:
    """Log of the mean Gaussian potential of all pairs.

    As in Wang and Isola (https://arxiv.org/abs/2005.10242), Sec. 4.1, with
    t = 2.

    Args:
        embeddings (Tensor): Shape (N, D), of any length; N is 2 or more.

    Returns:
        float: 0 for collapsed embeddings; -4 for orthogonal ones, as most
        pairs are if embeddings are spread over many dimensions.
    """
    unit = F.normalize(embeddings.double(), dim=1)
    return torch.pdist(unit).square().mul(-2).exp().mean().log().item()
