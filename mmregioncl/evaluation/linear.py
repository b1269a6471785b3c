"""Linear classifiers on features that stay as they are."""
from typing import Dict, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD
from torch.optim.lr_scheduler import MultiStepLR
from tqdm import trange


def online_probe(channels: int, classes: int) -> nn.Sequential:
    """A linear layer from zeros, on features brought to variance 1.

    Nothing is learned but the layer, and no random number is drawn.

    Args:
        channels (int): Of the features.
        classes (int): Of the labels.
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
    """Top-1 accuracy of linear layers by their learning rate, all at once.

    The recipe of MoCo (https://arxiv.org/abs/1911.05722), Sec. 4.1, without
    its augmentation: SGD with momentum 0.9 and no weight decay, the rate
    divided by 10 after 60 % and 80 % of the epochs, weights from N(0, 0.01).

    Args:
        train_features (Tensor): Shape (N, C), taken as they are.
        train_labels (Tensor): Shape (N,), int64, from 0 on.
        test_features (Tensor): Shape (M, C).
        test_labels (Tensor): Shape (M,).
        learning_rates (Sequence[float]): One classifier for each.
        epochs (int): Defaults to 100.
        batch_size (int): Defaults to 256.
        seed (int): Of weights and batches. Defaults to 0.

    Returns:
        dict[float, float]: Accuracy on the test features after the last epoch.
    """
    device = train_features.device
    generator = torch.Generator().manual_seed(seed)
    classes = int(max(train_labels.max(), test_labels.max())) + 1
    shape = classes, train_features.shape[1]
    weight = torch.randn(shape, generator=generator) * 0.01
    # A row more for the bias, (K, C + 1) each
    layers = [
        nn.Parameter(F.pad(weight, (0, 1)).to(device)) for _ in learning_rates
    ]
    groups = [
        dict(params=[layer], lr=lr)
        for layer, lr in zip(layers, learning_rates)
    ]
    optimizer = SGD(groups, momentum=0.9)
    scheduler = MultiStepLR(optimizer,
                            [-(-epochs * 3 // 5), -(-epochs * 4 // 5)], 0.1)

    train_features = F.pad(train_features, (0, 1), value=1)  # (N, C + 1)
    for _ in trange(epochs, desc='linear', disable=None, leave=False):
        order = torch.randperm(len(train_labels), generator=generator)
        for rows in order.to(device).split(batch_size):
            features, labels = train_features[rows], train_labels[rows]
            optimizer.zero_grad()
            # Each layer gets the gradient of its own loss, and no other's.
            sum(
                F.cross_entropy(features @ layer.T, labels)
                for layer in layers).backward()
            optimizer.step()
        scheduler.step()

    test_features = F.pad(test_features, (0, 1), value=1)
    return {
        lr: ((test_features
              @ layer.T).argmax(1) == test_labels).float().mean().item()
        for lr, layer in zip(learning_rates, layers)
    }
