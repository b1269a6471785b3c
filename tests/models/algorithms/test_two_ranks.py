import os
from pathlib import Path

HERE = Path(__file__).parent


def test_queue_and_keys_agree_across_ranks(run_python):
    done = run_python(
        '-m',
        'torch.distributed.run',
        '--standalone',
        '--nproc_per_node=2',
        HERE / 'two_ranks.py',
        env=dict(
            os.environ,
            CUDA_VISIBLE_DEVICES='',
            TESTS=str(HERE.parents[1]),
            OMP_NUM_THREADS='1'))
    assert done.stdout.count('two ranks agree') == 2
