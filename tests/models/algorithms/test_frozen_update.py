"""Accumulation and processes give the update of one large batch.

With channels last and gradient checkpoints as well ("switched").
"""
import os
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
# In SimCLR all images of a batch are negatives, so that parts have another
# loss.
METHODS = ('RegionCLMoCo', 'RegionCLDenseCL', 'RegionCLSimSiam',
           'RegionCLBYOL')


@pytest.fixture
def states(run_python, tmp_path):
    """Of all methods, by method and way."""
    env = dict(
        os.environ,
        CUDA_VISIBLE_DEVICES='',
        TESTS=str(HERE.parents[1]),
        OMP_NUM_THREADS='1')
    script = (HERE / 'frozen_update.py', tmp_path, *METHODS)
    run_python(*script, env=env)
    run_python(
        '-m',
        'torch.distributed.run',
        '--standalone',
        '--nproc_per_node=2',
        *script,
        env=env)
    return {
        name: {
            way: torch.load(tmp_path / f'{name}-{way}.pth')
            for way in ('untouched', 'whole', 'parts', 'ranks', 'switched')
        }
        for name in METHODS
    }


def test_parts_and_ranks_are_one_batch(states):
    for method, ways in states.items():
        whole = ways['whole']
        weight = 'backbone.conv1.weight'
        assert not torch.allclose(whole[weight], ways['untouched'][weight])
        for way in ('parts', 'ranks', 'switched'):
            assert whole.keys() == ways[way].keys()
            for name in whole:
                assert_same(name, whole[name], ways[way][name],
                            f'{name} of {method} by {way}')


def assert_same(name, one, other, where):
    """Queues hold the same keys, in any order."""
    if name.endswith('.steps'):
        return  # a count of forward passes
    if name in ('queue', 'queue2'):
        one, other = one.double(), other.double()
        nearest = (one.T @ other).max(1).values
        one, other = nearest, torch.ones_like(nearest)
    torch.testing.assert_close(
        one, other, rtol=1e-4, atol=2e-6, msg=lambda text: f'{where}: {text}')
