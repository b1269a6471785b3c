import math
import sys

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS
from torch.nn import functional as F

from mmregioncl import host
from mmregioncl.models.utils import info_nce, nt_xent


def unit(*shape, dtype=torch.float64):
    return F.normalize(torch.randn(*shape, dtype=dtype), dim=-1)


def reference(query, positive, queue, temperature, extra=None) -> float:
    """Row by row from the formula, in numpy's float64."""
    arrays = [
        None if t is None else t.detach().double().numpy()
        for t in (query, positive, queue, extra)
    ]
    query, positive, queue, extra = arrays
    losses = []
    for row in range(len(query)):
        logits = [query[row].dot(positive[row])]
        if extra is not None:
            logits.append(query[row].dot(extra[row]))
        logits.extend(query[row].dot(queue))
        powers = np.exp(np.array(logits) / temperature)
        losses.append(-np.log(powers[0] / powers.sum()))
    return float(np.mean(losses))


@pytest.mark.parametrize('rows', [1, 2, 6, 128])
@pytest.mark.parametrize('length',
                         [64, pytest.param(65536, marks=pytest.mark.slow)])
@pytest.mark.parametrize('with_extra', [False, True])
def test_equals_reference(rows, length, with_extra):
    query, positive = unit(rows, 32), unit(rows, 32)
    queue = unit(length, 32).T
    extra = unit(rows, 32) if with_extra else None
    expected = reference(query, positive, queue, 0.2, extra)
    loss = info_nce(query, positive, queue, 0.2, extra)
    assert loss.item() == pytest.approx(expected, abs=1e-12)

    single = [
        None if t is None else t.float()
        for t in (query, positive, queue, extra)
    ]
    loss = info_nce(*single[:3], 0.2, single[3])
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_gradients_equal_those_of_cross_entropy():
    query = unit(5, 8).requires_grad_()
    positive = unit(5, 8).requires_grad_()
    extra = unit(5, 8).requires_grad_()
    queue = unit(40, 8).T

    leaves = (query, positive, extra)
    ours = torch.autograd.grad(
        info_nce(query, positive, queue, 0.07, extra), leaves)
    logits = torch.cat(((query * positive).sum(1, keepdim=True),
                        (query * extra).sum(1, keepdim=True), query @ queue),
                       1)
    theirs = torch.autograd.grad(
        F.cross_entropy(logits / 0.07, torch.zeros(5, dtype=torch.long)),
        leaves)
    for ours_, theirs_ in zip(ours, theirs):
        torch.testing.assert_close(ours_, theirs_, rtol=0, atol=1e-12)


def test_blocks_of_rows_give_the_same(monkeypatch):
    query, positive = unit(7, 4).requires_grad_(), unit(7, 4)
    queue = unit(10, 4).T.contiguous()
    results = []
    for block in (2**25, 30, 1):  # all rows, 3 at a time, one at a time
        monkeypatch.setattr(sys.modules[info_nce.__module__], 'BLOCK', block)
        loss = info_nce(query, positive, queue, 0.2)
        results.append((loss, *torch.autograd.grad(loss, query)))
    for loss, gradient in results[1:]:
        assert loss.item() == pytest.approx(results[0][0].item(), rel=1e-12)
        torch.testing.assert_close(gradient, results[0][1])


@pytest.mark.slow
def test_dense_rows_equal_the_head_of_the_host():
    """32 maps of 7x7 cells in float32, in several blocks; nothing is kept."""
    query, positive = (unit(1568, 128).float() for _ in range(2))
    queue = unit(65536, 128).float().T.contiguous()
    query.requires_grad_()
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: (saved.append(tensor.numel()), tensor)[1],
            lambda tensor: tensor):
        loss = info_nce(query, positive, queue, 0.2)
    gradient, = torch.autograd.grad(loss, query)
    assert max(saved) <= query.numel()

    head = MODELS.build(
        dict(
            type=f'{host.NAME}.ContrastiveHead',
            loss=dict(type=host.qualified('CrossEntropyLoss')),
            temperature=0.2))
    loss_of = head if host.NAME == 'mmselfsup' else head.loss
    theirs = loss_of((query * positive).sum(1, keepdim=True), query @ queue)
    expected, = torch.autograd.grad(theirs, query)
    assert loss.item() == pytest.approx(theirs.item(), abs=1e-5)
    scale = expected.abs().max()
    torch.testing.assert_close(
        gradient / scale, expected / scale, rtol=0, atol=1e-5)


def test_nt_xent_equals_reference():
    views, query, extra = unit(6, 4), unit(3, 4), unit(3, 4)
    positive, own = torch.tensor([1, 0, 4]), torch.tensor([0, 1, 5])
    rows = []
    for i in range(3):
        others = [views[k] for k in range(6) if k != own[i]] + [extra[i]]
        logits = [(query[i] @ other / 0.5).item() for other in others]
        total = sum(math.exp(logit) for logit in logits)
        rows.append(
            math.log(total) - (query[i] @ views[positive[i]] / 0.5).item())
    loss = nt_xent(query, views, positive, own, 0.5, extra)
    assert loss.item() == pytest.approx(sum(rows) / 3, rel=1e-12)


def test_numerical_gradient():
    query, positive = unit(3, 4).requires_grad_(), unit(3, 4).requires_grad_()
    queue = unit(10, 4).T
    assert torch.autograd.gradcheck(lambda q, p: info_nce(q, p, queue, 0.5),
                                    (query, positive))


def test_queue_may_change_before_backward():
    query, positive = unit(3, 4).requires_grad_(), unit(3, 4)
    queue = unit(10, 4).T.contiguous()
    expected, = torch.autograd.grad(
        info_nce(query, positive, queue, 0.2), query)
    loss = info_nce(query, positive, queue, 0.2)
    queue.zero_()
    loss.backward()
    assert torch.equal(query.grad, expected)


def test_sums_in_float32_under_autocast():
    query = unit(4, 16, dtype=torch.float32)
    positive, queue = unit(4, 16).float(), unit(100, 16).float().T
    with torch.autocast('cpu', torch.bfloat16):
        loss = info_nce(query, positive, queue, 0.07)
    assert torch.equal(loss, info_nce(query, positive, queue, 0.07))


def test_extreme_temperature_stays_finite():
    query = unit(4, 16).float()
    loss = info_nce(query, -query, query.T.contiguous(), 1e-3)
    assert loss.item() == pytest.approx(2000, rel=1e-3)
