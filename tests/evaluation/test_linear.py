import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from mmregioncl.evaluation import linear_probes, online_probe


@pytest.fixture
def blobs():
    """Three classes that overlap: 600 features to learn from, 300 to test."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(900) % 3
    features = torch.randn(900, 6, generator=generator)
    features[torch.arange(900), labels] += 2
    return features[:600], labels[:600], features[600:], labels[600:]


def test_as_good_as_scikit_learn(blobs):
    train, train_labels, test, test_labels = blobs
    peer = LogisticRegression(C=1e6).fit(train, train_labels)
    expected = peer.score(test, test_labels)
    scores = linear_probes(*blobs, learning_rates=(0.1, ), epochs=50)
    assert scores[0.1] == pytest.approx(expected, abs=0.015)
    assert 0.7 < expected < 0.95


def test_rates_do_not_touch_each_other(blobs):
    rates = 1e-4, 0.1, 1e6
    together = linear_probes(*blobs, rates, epochs=5)
    for rate in rates:
        alone = linear_probes(*blobs, (rate, ), epochs=5)[rate]
        assert together[rate] == pytest.approx(alone, abs=0.004)
    assert together[0.1] > together[1e-4]
    assert together == linear_probes(*blobs, rates, epochs=5)  # twice alike


def test_one_hot_features_score_all_and_noise_scores_chance():
    labels = torch.randint(5, (2000, ))
    features = torch.eye(5)[labels]
    scores = linear_probes(features, labels, features, labels, (1., ), 5)
    assert scores[1.] == 1
    noise = torch.randn(2000, 5)
    scores = linear_probes(noise[:1000], labels[:1000], noise[1000:],
                           labels[1000:], (1., ), 5)
    assert scores[1.] == pytest.approx(0.2, abs=0.05)


def test_online_probe_draws_no_random_number():
    before = torch.get_rng_state()
    batch_norm, linear = online_probe(7, 3)
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(linear, nn.Linear)
    assert not linear.weight.any() and not linear.bias.any()
    assert not list(batch_norm.parameters())
