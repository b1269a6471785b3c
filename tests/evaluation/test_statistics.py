import math

import numpy as np
import pytest
import torch
from scipy.linalg import svdvals

from mmregioncl.evaluation import alignment, rankme, relative_std, uniformity


@pytest.fixture
def embeddings():
    return torch.randn(40, 8, generator=torch.Generator().manual_seed(0)) + 0.5


def unit_rows(embeddings):
    rows = embeddings.double().tolist()
    return [[x / math.hypot(*row) for x in row] for row in rows]


def test_rankme_by_the_singular_values_of_scipy(embeddings):
    values = svdvals(embeddings.double().numpy())
    shares = values / values.sum()
    expected = math.exp(-sum(share * math.log(share) for share in shares))
    assert rankme(embeddings) == pytest.approx(expected, rel=1e-12)


def test_rankme_of_known_cases():
    assert rankme(torch.eye(7)) == pytest.approx(7)
    assert rankme(torch.arange(1, 6.)[:, None] * torch.ones(9)) == \
        pytest.approx(1)
    assert rankme(torch.zeros(4, 3)) == 1


def test_relative_std_by_hand(embeddings):
    rows = np.array(unit_rows(embeddings))
    expected = np.mean([np.std(column) for column in rows.T]) * 8**0.5
    assert relative_std(embeddings) == pytest.approx(expected, rel=1e-12)


def test_relative_std_of_known_cases():
    sphere = torch.randn(20000, 16)
    assert relative_std(sphere * 100) == pytest.approx(1, abs=0.01)
    assert relative_std(torch.ones(50, 16)) == pytest.approx(0, abs=1e-12)


def test_alignment_and_uniformity_pair_by_pair(embeddings):
    rows = unit_rows(embeddings)
    others = unit_rows(embeddings.flip(0))

    def square(a, b):
        return sum((x - y)**2 for x, y in zip(a, b))

    expected = sum(map(square, rows, others)) / 40
    assert alignment(embeddings, embeddings.flip(0)) == \
        pytest.approx(expected, rel=1e-12)
    pairs = [
        math.exp(-2 * square(rows[i], rows[j])) for i in range(40)
        for j in range(i)
    ]
    assert uniformity(embeddings) == \
        pytest.approx(math.log(sum(pairs) / len(pairs)), rel=1e-12)


def test_alignment_and_uniformity_of_known_cases(embeddings):
    assert alignment(embeddings, embeddings * 3) == pytest.approx(0)
    assert alignment(embeddings, -embeddings) == pytest.approx(4)
    assert uniformity(torch.ones(9, 4)) == pytest.approx(0)
    assert uniformity(torch.eye(9)) == pytest.approx(-4)
