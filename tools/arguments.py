"""Arguments of tools that run a config."""
import argparse
import os

from mmengine.config import DictAction


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='settings to override, such as train_cfg.max_epochs=100')


def parse_run(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line of a run.

    Adds ``--cfg-options``, ``--launcher`` and ``--local_rank``.

    Args:
        parser (ArgumentParser): A parser with the other arguments.
    """
    add_cfg_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher')
    # torch.distributed.launch, which mim uses, passes either spelling.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args
