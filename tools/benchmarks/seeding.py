"""What reproducible views and exact resuming cost.

Views: the pipelines of an ImageNet and a CIFAR-10 config, with draws seeded
for each image and without, in turn. Steps: RegionCL-M on a ResNet-18 for small
images, with the train loop and hooks of the configs and with MMEngine's, in
turn.
"""
import argparse
import statistics
import time
from copy import deepcopy
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, List

import torch
from measure import at_least, header, ratio
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner
from transforms import CIFAR10, IMAGENET, photographs

from mmregioncl.datasets import SeededSampler
from mmregioncl.datasets.digits import write_digits
from mmregioncl.engine.config import load_config
from mmregioncl.randomness import seed_draws

CONFIGS = Path(__file__).parents[2] / 'configs' / 'regioncl'
BATCH = 32


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--images', nargs='+', metavar='DIR')
    parser.add_argument(
        '--count', type=at_least(1), default=32, help='images of a folder')
    parser.add_argument('--repeats', type=at_least(1), default=25)
    return parser.parse_args()


def milliseconds(call: Callable) -> float:
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def show(name: str, times: List[List[float]]) -> None:
    """Print the medians without and with, and their ratio."""
    print(
        f'{name:38} {statistics.median(times[0]):9.1f} '
        f'{statistics.median(times[1]):9.1f} ', ratio(times[1], times[0]))


def compare_views(name: str, folder: str, config: str, repeats: int) -> None:
    """Print how long batches take with equal draws, seeded in time or before.

    Views of other draws would differ by more than what is measured.
    """
    pipeline = Config.fromfile(config).train_dataloader.dataset.pipeline
    if pipeline[0]['type'] != 'mmregioncl.LoadImage':  # of CIFAR-10
        pipeline = [dict(type='mmregioncl.LoadImage'), *pipeline]
    dataset = DATASETS.build(
        dict(
            type='mmregioncl.ImageFolder', data_root=folder,
            pipeline=pipeline))
    sampler = SeededSampler(dataset, seed=0)
    times: List[List[float]] = [[], []]
    for epoch in range(repeats):
        sampler.set_epoch(epoch)
        spent = [0., 0.]
        for number, index in enumerate(islice(sampler, BATCH)):
            for seeded in (number % 2, 1 - number % 2):
                if not seeded:
                    seed_draws(index.seed, index.epoch, index)
                call = dataset.load_seeded if seeded else dataset.__getitem__
                place = index if seeded else int(index)
                spent[seeded] += milliseconds(partial(call, place))
        for taken, time_of_batch in zip(times, spent):
            taken.append(time_of_batch)
    show(name, times)


def steps(folder: Path, ours: bool) -> Callable:
    """A call that trains on a batch, always the same."""
    cfg = load_config(CONFIGS /
                      'regioncl-m_resnet18-w16_1xb32-coslr-20e_digits.py')
    cfg.train_dataloader.update(
        batch_size=64, num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset.data_root = str(folder / 'digits' / 'train')
    cfg.work_dir = cfg.experiment_name = str(folder / f'run-{ours}')
    cfg.log_level = 'ERROR'
    for name in ('knn', 'linear', 'health'):
        del cfg.default_hooks[name]
    if not ours:
        cfg.train_cfg.type = 'EpochBasedTrainLoop'
        cfg.train_dataloader.sampler.type = 'DefaultSampler'
        del cfg.default_hooks['resume']
        cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=10)
    runner = Runner.from_cfg(cfg)
    loop = runner.train_loop
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(
        runner.param_schedulers)
    runner.call_hook('before_run')
    runner.call_hook('before_train')
    runner.call_hook('before_train_epoch')
    batch = next(iter(loop.dataloader))
    return lambda: loop.run_iter(loop.iter, deepcopy(batch))


def main() -> None:
    args = parse_args()
    init_default_scope('mmregioncl')
    print(header('cpu', 'opencv-python', 'numpy', 'mmengine'))
    print(f'{"milliseconds":38} {"without":>9} {"with":>9}  '
          f'ratio (range of {args.repeats})')
    with TemporaryDirectory() as scratch, TemporaryDirectory() as folder:
        for number, path in enumerate(photographs(args, scratch)):
            link = Path(folder) / f'{number}{Path(path).suffix}'
            link.symlink_to(Path(path).resolve())
        root = Path(scratch)
        digits = str(write_digits(root / 'digits') / 'train')
        for name, images, config in ((f'{BATCH} photographs, views of 224 px',
                                      folder, IMAGENET),
                                     (f'{BATCH} digits, views of 32 px',
                                      digits, CIFAR10)):
            compare_views(name, images, config, args.repeats)
        torch.set_num_threads(2)
        calls = [steps(root, ours) for ours in (False, True)]
        for call in calls:
            call()  # warm up
        times = [[milliseconds(call) for call in calls]
                 for _ in range(args.repeats)]
        show('a step of 64 digits', [[*column] for column in zip(*times)])


if __name__ == '__main__':
    main()
