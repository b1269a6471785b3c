import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from mmregioncl.evaluation import knn_accuracy, knn_classify, knn_predict


@pytest.fixture
def sets():
    generator = torch.Generator().manual_seed(0)
    train = torch.randn(300, 8, generator=generator)
    labels = torch.randint(5, (300, ), generator=generator)
    train += torch.nn.functional.one_hot(labels, 8)
    return train, labels, torch.randn(70, 8, generator=generator)


@pytest.mark.parametrize('k', [1, 7, 300])
@pytest.mark.parametrize('temperature', [0.07, 1.])
@pytest.mark.parametrize('block', [16, 1024])
def test_equals_scikit_learn(sets, k, temperature, block):
    train, labels, test = sets
    lengths = 10**torch.rand(300, 1)  # must not matter
    peer = KNeighborsClassifier(
        k,
        metric='cosine',
        algorithm='brute',
        weights=lambda distance: np.exp((1 - distance) / temperature))
    expected = peer.fit(train.double(), labels).predict(test.double())
    result = knn_classify(train * lengths, labels, test, k, temperature, block)
    assert result.dtype == torch.int64
    assert result.tolist() == expected.tolist()


def test_tiny_temperature_is_the_nearest_neighbor(sets):
    train, labels, test = sets
    nearest = knn_classify(train, labels, test, 1, 1.)
    assert torch.equal(knn_classify(train, labels, test, 50, 1e-5), nearest)


def test_several_settings_at_once(sets):
    found = knn_predict(*sets, k=(50, 3), temperature=(0.07, 1.))
    assert list(found) == [(50, 0.07), (50, 1.), (3, 0.07), (3, 1.)]
    for (k, temperature), labels in found.items():
        assert torch.equal(labels, knn_classify(*sets, k, temperature))


def test_accuracy(sets):
    train, labels, _ = sets
    assert knn_accuracy(train, labels, train, labels, k=1) == 1
    assert knn_accuracy(train, labels, train, (labels + 1) % 5, k=1) == 0


@pytest.mark.parametrize('k', [0, 301])
def test_impossible_k_is_refused(sets, k):
    train, labels, test = sets
    with pytest.raises(ValueError, match='set k between 1 and their number'):
        knn_classify(train, labels, test, k, 0.1)


def test_temperature_of_zero_is_refused():
    features, labels = torch.eye(3), torch.arange(3)
    with pytest.raises(ValueError, match='temperature=0 must be above 0'):
        knn_classify(features, labels, features, 1, 0)
