"""Linear classifiers on frozen features."""
from typing import Dict, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .progress import with_progress


def online_probe(channels: int, classes: int) -> nn.Sequential:
    """Batch norm without parameters, then a linear layer of zeros.

    It draws no random numbers.

    Args:
        channels (int): Number of feature channels.
        classes (int): Number of classes.

    Returns:
        nn.Sequential: Maps features (N, channels) to logits (N, classes).
    """
    linear = nn.utils.skip_init(nn.Linear, channels, classes)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.BatchNorm1d(channels, affine=False), linear)


def linear_probes(train_features: Tensor,
                  train_labels: Tensor,
                  test_features: Tensor,
                  test_labels: Tensor,
                  learning_rates: Sequence[float],
                  epochs: int = 100,
                  batch_size: int = 256,
                  seed: int = 0) -> Dict[float, float]:
    """Train a linear layer for each learning rate and test all of them.

    The recipe of MoCo (https://arxiv.org/abs/1911.05722), Sec. 4.1, without
    its augmentation: SGD with momentum 0.9 and no weight decay, the rate
    divided by 10 after 60 % and 80 % of the epochs, weights from N(0, 0.01).
    All layers are trained at once.

    Args:
        train_features (Tensor): Shape (N, C), not normalized.
        train_labels (Tensor): Shape (N,), int64, from 0 on.
        test_features (Tensor): Shape (M, C).
        test_labels (Tensor): Shape (M,).
        learning_rates (Sequence[float]): A layer is trained for each.
        epochs (int): Defaults to 100.
        batch_size (int): Defaults to 256.
        seed (int): Seed of weights and batches. Defaults to 0.

    Returns:
        dict[float, float]: Top-1 accuracy on the test features by learning
        rate; NaN where the layer diverged.
    """
    device = train_features.device
    generator = torch.Generator().manual_seed(seed)
    classes = int(max(train_labels.max(), test_labels.max())) + 1
    count = len(learning_rates)
    shape = classes, train_features.shape[1]
    weight = torch.randn(shape, generator=generator) * 0.01
    weight = weight.to(device).repeat(count, 1).requires_grad_()  # (L K, C)
    bias = weight.new_zeros(len(weight), 1).requires_grad_()  # (L K, 1)
    velocities = [torch.zeros_like(layer) for layer in (weight, bias)]
    rates = weight.new_tensor(learning_rates)
    rates = rates.repeat_interleave(classes)[:, None]  # (L K, 1)

    def score(features: Tensor) -> Tensor:
        """Logits (N, K, L)."""
        logits = torch.addmm(bias.T, features, weight.T)  # (N, L K)
        return logits.unflatten(1, (count, classes)).transpose(1, 2)

    for epoch in with_progress(range(epochs), 'linear, epochs'):
        decay = 0.1**sum(epoch >= share * epochs for share in (0.6, 0.8))
        order = torch.randperm(len(train_labels), generator=generator)
        for rows in order.to(device).split(batch_size):
            labels = train_labels[rows][:, None].expand(-1, count)  # (B, L)
            # The sum gives each layer the gradient of its own mean.
            loss = F.cross_entropy(
                score(train_features[rows]), labels,
                reduction='sum') / len(rows)
            gradients = torch.autograd.grad(loss, (weight, bias))
            with torch.no_grad():  # SGD, each layer at its own rate
                for layer, velocity, gradient in zip((weight, bias),
                                                     velocities, gradients):
                    layer -= decay * rates * velocity.mul_(0.9).add_(gradient)

    with torch.no_grad():
        found = torch.cat([
            score(part).argmax(1) for part in test_features.split(batch_size)
        ])  # (M, L)
        finite = weight.isfinite().unflatten(0, (count, -1)).flatten(1).all(1)
    right = (found == test_labels[:, None]).float().mean(0)
    right[~finite] = torch.nan
    return dict(zip(learning_rates, right.tolist()))
