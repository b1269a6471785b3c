import numpy as np
import pytest
import torch
from mmengine.registry import MODELS
from torch.nn import functional as F


@pytest.fixture
def head():
    return MODELS.build(
        dict(type='mmregioncl.RegionContrastiveHead', temperature=0.2))


def row_loss(anchor, positive, queue, *others) -> float:
    """-log softmax of the positive, from the definition, in float64."""
    logits = [anchor.dot(positive)]
    logits += [anchor.dot(other) for other in others]
    powers = np.exp(np.append(logits, anchor.dot(queue)) / 0.2)
    return -np.log(powers[0] / powers.sum())


def region_reference(canvas, paste, key, queue) -> float:
    """Mean over canvas and paste rows of every image (RegionCL-M).

    Composite i shows image i as canvas and image j = N-1-i as paste.
    """
    count, losses = len(key), []
    for i in range(count):
        j = count - 1 - i
        # Canvas i is repelled by the paste in composite i, from image j;
        losses.append(row_loss(canvas[i], key[i], queue, paste[j]))
        # paste i lies in composite j and is repelled by its canvas.
        losses.append(row_loss(paste[i], key[i], queue, canvas[j]))
    return float(np.mean(losses))


@pytest.mark.parametrize('count', [2, 6, 128])
@pytest.mark.parametrize('length',
                         [64, pytest.param(65536, marks=pytest.mark.slow)])
def test_losses_equal_reference(head, count, length):
    draw = [F.normalize(torch.randn(count, 16), dim=1) for _ in range(4)]
    query, canvas, paste, key = draw
    queue = F.normalize(torch.randn(16, length), dim=0)
    doubles = [t.double().numpy() for t in (query, canvas, paste, key, queue)]

    expected = np.mean(
        [row_loss(q, k, doubles[4]) for q, k in zip(doubles[0], doubles[3])])
    loss = head.loss_instance(query, key, queue)
    assert loss.item() == pytest.approx(expected, rel=1e-6)

    expected = region_reference(*doubles[1:])
    loss = head.loss_region(canvas, paste, key, queue)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_negative_in_the_same_composite_gets_no_gradient(head):
    """The gradient must be that of frozen neighbors, and of both regions."""
    canvas, paste = (
        F.normalize(torch.randn(4, 8), dim=1).requires_grad_()
        for _ in range(2))
    key = F.normalize(torch.randn(4, 8), dim=1)
    queue = F.normalize(torch.randn(8, 16), dim=0)
    head.loss_region(canvas, paste, key, queue).backward()

    # The same loss with neighbors that are constants by construction
    frozen = [t.detach().clone().requires_grad_() for t in (canvas, paste)]
    rows = []
    for anchor, neighbour in ((frozen[0], paste), (frozen[1], canvas)):
        neighbour = neighbour.detach()[[3, 2, 1, 0]]
        logits = torch.cat(
            ((anchor * key).sum(1, keepdim=True),
             (anchor * neighbour).sum(1, keepdim=True), anchor @ queue),
            1) / 0.2
        rows.append(F.cross_entropy(logits, torch.zeros(4, dtype=torch.long)))
    (sum(rows) / 2).backward()
    for ours, theirs in zip((canvas, paste), frozen):
        assert ours.grad.abs().sum() > 0
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-6)


@pytest.mark.parametrize('loss', [
    dict(type='mmregioncl.CrossEntropyLoss', loss_weight=0.5),
    dict(type='mmregioncl.FocalLoss'),
])
def test_another_loss_is_refused(loss):
    with pytest.raises(ValueError, match='computes a plain mean cross entrop'):
        MODELS.build(dict(type='mmregioncl.RegionContrastiveHead', loss=loss))


def test_a_weight_without_a_loss_is_refused():
    loss = dict(type='mmregioncl.CrossEntropyLoss', loss_weight=0)
    with pytest.raises(
            ValueError, match='loss_weight=0 of the loss of Region'):
        MODELS.build(dict(type='mmregioncl.RegionContrastiveHead', loss=loss))


@pytest.mark.parametrize('temperature', [0, -0.2, float('nan')])
def test_temperature_without_a_softmax_is_refused(temperature):
    with pytest.raises(
            ValueError, match='of RegionContrastiveHead has to be a pos'):
        MODELS.build(
            dict(
                type='mmregioncl.RegionContrastiveHead',
                temperature=temperature))
