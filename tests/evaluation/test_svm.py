from unittest.mock import Mock

import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.backend import context
from sklearn.metrics import average_precision_score

from mmregioncl.evaluation import svm as module
from mmregioncl.evaluation.svm import (COSTS, average_precision, draw_few,
                                       low_shot_map, make_split, svm_map)

FEW_COSTS = COSTS[::5]


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    """Fit SVMs in this process: others take seconds to start."""
    monkeypatch.setenv('LOKY_MAX_CPU_COUNT', '1')


def slow_average_precision(targets, scores):
    """For each image with the class, the best precision at its recall."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    hits = [targets[i] == 1 for i in order]
    total = 0
    for rank, hit in enumerate(hits):
        if hit:
            total += max(
                sum(hits[:end]) / end for end in range(rank + 1,
                                                       len(hits) + 1))
    return total / sum(hits)


def test_average_precision_by_the_definition():
    generator = np.random.default_rng(0)
    for _ in range(20):
        targets = generator.integers(0, 2, 30)
        scores = generator.normal(size=30) + targets
        ap = average_precision(targets, scores)
        assert ap == pytest.approx(slow_average_precision(targets, scores))
        # scikit-learn's precision is not made monotonic
        assert ap >= average_precision_score(targets, scores)
        assert ap - average_precision_score(targets, scores) < 0.1


@pytest.fixture
def blobs():
    """Three classes that overlap little, 60 images to train and to test."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    features = torch.randn(120, 8, generator=generator)
    features[torch.arange(120), labels] += 4
    return (make_split(features[:60], labels[:60],
                       3), make_split(features[60:], labels[60:], 3))


def test_features_have_unit_length(blobs):
    lengths = np.linalg.norm(blobs[0].features, axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-4)
    assert blobs[0].targets.sum(0).tolist() == [20, 20, 20]


@pytest.mark.filterwarnings('ignore:`fork` start method')
def test_learns(blobs, monkeypatch):
    result = svm_map(*blobs, FEW_COSTS, workers=1)
    assert all(ap > 0.9 for ap in result['ap'])
    # Forked processes need not import anything.
    monkeypatch.setattr(context, '_DEFAULT_START_METHOD', 'fork')
    assert result == svm_map(*blobs, FEW_COSTS, workers=2)  # twice alike
    get_reusable_executor().shutdown()


def test_each_cost_counts_as_progress(blobs, monkeypatch):
    """A class takes minutes."""
    told = Mock(side_effect=lambda items, name, total: items)
    monkeypatch.setattr(module, 'with_progress', told)
    svm_map(*blobs, (1., 2.), 1)
    assert [call.args[1:] for call in told.mock_calls] == [('svm, costs', 6),
                                                           ('svm, classes', 3)]


def test_the_order_of_images_is_of_no_matter(blobs):
    """The samples are sorted by class, as in folders."""
    train, test = blobs
    order = train.targets.argmax(1).argsort(kind='stable')
    ordered = train._replace(
        features=train.features[order], targets=train.targets[order])
    aps = [
        svm_map(part, test, FEW_COSTS, workers=1)['ap']
        for part in (train, ordered)
    ]
    np.testing.assert_allclose(*aps, atol=0.02)


def test_one_hot_features_score_all_and_noise_scores_chance():
    labels = torch.arange(300) % 3
    right = make_split(torch.eye(3)[labels], labels, 3)
    assert svm_map(right, right, (1., ), 1)['ap'] == [1, 1, 1]
    noise = make_split(torch.randn(300, 4), labels, 3)
    other = make_split(torch.randn(300, 4), labels, 3)
    assert np.mean(svm_map(noise, other, (1., ), 1)['ap']) == \
        pytest.approx(1 / 3, abs=0.08)


def test_difficult_images_are_not_judged(blobs):
    train, test = blobs
    targets = test.targets.copy()
    wrong = np.flatnonzero(targets[:, 0] == 1)[:3]
    clean = svm_map(train, test, (1., ), 1)['ap'][0]
    test.features[wrong] = test.features[targets[:, 1] == 1][:3]
    assert svm_map(train, test, (1., ), 1)['ap'][0] < clean
    targets[wrong, 0] = -1
    ap = svm_map(train, test._replace(targets=targets), (1., ), 1)['ap'][0]
    assert ap > 0.95


def test_a_few_images_are_drawn():
    targets = np.eye(4, dtype=int)[np.arange(40) % 4]
    few = draw_few(targets, 2, np.random.default_rng(0))
    assert ((few == 1).sum(0) == 2).all()
    assert ((few == 0).sum(0) == 6).all()
    assert (targets[few == 1] == 1).all() and (targets[few == 0] == 0).all()
    other = draw_few(targets, 2, np.random.default_rng(1))
    assert (few != other).any()


def test_more_images_teach_more(blobs):
    result = low_shot_map(*blobs, shots=(1, 16, 21), samples=3, costs=(1., ))
    assert list(result) == [1, 16]  # a class has 20
    assert result[16][0] > result[1][0]
    assert result[1][1] > 0
    assert result == low_shot_map(*blobs, (1, 16), 3, (1., ))


def test_a_class_with_one_image_is_refused(blobs):
    train, test = blobs
    targets = train.targets.copy()
    targets[np.flatnonzero(targets[:, 2])[1:], 2] = 0
    few = train._replace(targets=targets)
    with pytest.raises(ValueError, match='class 2 has 1 train images, but'):
        svm_map(few, test)
    with pytest.raises(ValueError, match='class 0 has 0 test images'):
        svm_map(train, test._replace(targets=targets * 0))
