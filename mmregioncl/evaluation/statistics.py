"""What embeddings are like, without labels."""
import torch
from torch import Tensor
from torch.nn import functional as F


def relative_std(embeddings: Tensor) -> float:
    """Spread of normalised embeddings: 1 over the whole sphere, 0 collapsed.

    The standard deviation of SimSiam, Sec. 4.1
    (https://arxiv.org/abs/2011.10566), over the 1 / sqrt(D) that it has where
    all directions are alike.

    Args:
        embeddings (Tensor): Shape (N, D), of any length.
    """
    unit = F.normalize(embeddings.double(), dim=1)
    return unit.std(0, correction=0).mean().item() * unit.shape[1]**0.5


def rankme(features: Tensor) -> float:
    """RankMe (https://arxiv.org/abs/2210.02885), an effective rank.

    The exponential of the entropy of the singular values over their sum: from
    1, where all rows are multiples of one, to min(N, C).

    Args:
        features (Tensor): Shape (N, C); they are not centred.
    """
    if not features.isfinite().all():
        return float('nan')
    values = torch.linalg.svdvals(features.double())
    if not values.any():
        return 1.  # no features at all: nothing is less
    return torch.special.entr(values / values.sum()).sum().exp().item()


def alignment(first: Tensor, second: Tensor) -> float:
    """Mean squared distance of positive pairs, from 0, where they agree, to 4.

    As in Wang and Isola (https://arxiv.org/abs/2005.10242), Sec. 4.1, with
    alpha = 2.

    Args:
        first (Tensor): Shape (N, D), of any length.
        second (Tensor): Likewise; row i of both belongs together.
    """
    first, second = (F.normalize(x.double(), dim=1) for x in (first, second))
    return (first - second).square().sum(1).mean().item()


def uniformity(embeddings: Tensor) -> float:
    """Log of the mean Gaussian potential of all pairs: 0 collapsed, to -4.

    As in Wang and Isola (https://arxiv.org/abs/2005.10242), Sec. 4.1, with
    t = 2. -4 is that of pairs at right angles, which most are where embeddings
    are spread over many dimensions.

    Args:
        embeddings (Tensor): Shape (N, D), of any length; N is 2 or more.
    """
    unit = F.normalize(embeddings.double(), dim=1)
    return torch.pdist(unit).square().mul(-2).exp().mean().log().item()
