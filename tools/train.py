"""Pre-train a model: ``python tools/train.py CONFIG``."""
import argparse
import os
from pathlib import Path

from mmengine.config import DictAction
from mmengine.device import get_device
from mmengine.runner import Runner

from mmregioncl.engine.config import load_config
from mmregioncl.engine.memory import keep_freed_memory
from mmregioncl.engine.storage import find_checkpoint


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Pre-train a model')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help='folder for logs and checkpoints (default: work_dirs/CONFIG)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from CHECKPOINT, by default the last one in the work dir')
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: float16 on a GPU, bfloat16 on a CPU')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='settings to override, such as train_cfg.max_epochs=100')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how processes are started')
    # torch.distributed.launch, which mim uses, passes either spelling.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options)

    cfg.launcher = args.launcher
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(
        Path('work_dirs') / Path(args.config).stem)
    if args.amp and get_device() == 'cpu':
        cfg.optim_wrapper.type = 'mmregioncl.AutocastOptimWrapper'
    elif args.amp:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.resume:
        checkpoint = args.resume
        if checkpoint == 'auto':
            checkpoint = find_checkpoint(cfg.work_dir)
        if checkpoint:
            cfg.update(resume=True, load_from=checkpoint)
        else:
            print(f'no checkpoint in {cfg.work_dir} yet: starting anew')

    if get_device() == 'cpu':
        keep_freed_memory()
    Runner.from_cfg(cfg).train()


if __name__ == '__main__':
    main()
