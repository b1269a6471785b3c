import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def launch(run_python):
    """What a script of this folder prints as several processes."""

    def run(script: str, processes: int) -> str:
        return run_python(
            '-m',
            'torch.distributed.run',
            '--standalone',
            f'--nproc_per_node={processes}',
            HERE / script,
            env=dict(
                os.environ,
                CUDA_VISIBLE_DEVICES='',
                TESTS=str(HERE.parents[1]),
                OMP_NUM_THREADS='1')).stdout

    return run


def test_queue_and_keys_agree_across_ranks(launch):
    assert launch('two_ranks.py', 2).count('two ranks agree') == 2


@pytest.mark.parametrize('processes', [2, 3])
def test_keys_are_of_mixed_batches(launch, processes):
    printed = launch('shuffle_ranks.py', processes)
    assert printed.count('all ranks agree') == processes
