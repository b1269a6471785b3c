import random

import numpy as np
import torch

from mmregioncl.randomness import hash_words, kept_draws, seed_draws

COUNT = 4000


def first_draws(*numbers: int) -> list:
    """What Python, NumPy and PyTorch draw first, uniform in [0, 1)."""
    seed_draws(*numbers)
    return draws()


def draws() -> list:
    """What they draw next."""
    return [random.random(), np.random.rand(), torch.rand(()).item()]


def test_draws_depend_on_the_numbers_alone():
    before = first_draws(1, 2, 3)
    torch.rand(7), np.random.rand(7), random.random()
    assert first_draws(1, 2, 3) == before
    for other in ((1, 2, 4), (1, 3, 3), (2, 2, 3), (1, 3, 2), (1, 2)):
        assert not set(first_draws(*other)) & set(before)


def test_draws_of_neighbors_are_independent_and_uniform():
    """Images, epochs, seeds, views and the libraries among each other.

    The second view of an image draws on from where the first has ended.
    """
    with kept_draws():
        images, views = np.array([(first_draws(0, 0, i), draws())
                                  for i in range(COUNT)]).transpose(1, 0, 2)
        epochs = np.array([first_draws(0, 1, i) for i in range(COUNT)])
        seeds = np.array([first_draws(1, 0, i) for i in range(COUNT)])
    limit = 4.5 / COUNT**0.5  # standard errors
    for values in (images, epochs, seeds, views):
        assert np.abs(values.mean(0) - 0.5).max() < limit * 12**-0.5
        cells = np.stack(
            [np.histogram(values[:, i], 20, (0, 1))[0] for i in range(3)])
        chi2 = ((cells - COUNT / 20)**2 / (COUNT / 20)).sum(1)
        assert chi2.max() < 50  # of 19 degrees of freedom: p < 2e-4
    columns = np.hstack(
        [images[:-1], images[1:], epochs[:-1], seeds[:-1],
         views[:-1]])  # (N, 15)
    between = np.corrcoef(columns.T) - np.eye(15)
    assert np.abs(between).max() < limit


def test_words_are_unrelated_bits():
    words = np.array([hash_words(0, i) for i in range(2000)], np.uint64)
    bits = np.unpackbits(words.view(np.uint8), axis=1).astype(float)
    assert np.abs(bits.mean(0) - 0.5).max() < 5 * 0.5 / 2000**0.5
    assert len(np.unique(words)) == words.size
    hash_words(-2**63, 2**63 - 1)  # the range of int64


def test_kept_draws_leave_no_trace():
    seed_draws(5)
    wanted = [random.random(), np.random.rand(), torch.rand(()).item()]
    seed_draws(5)
    with kept_draws():
        first_draws(9)
    assert [random.random(), np.random.rand(), torch.rand(()).item()] == wanted
