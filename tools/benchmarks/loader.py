"""Images that a dataloader hands out in a second, by workers.

The dataloader of an ImageNet config, batches of 32, with mmselfsup's
transforms and with ours, in turn.
"""
import argparse
import statistics
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict, List

from measure import at_least, header, ratio, upstream
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from transforms import IMAGENET, photographs


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--images', nargs='+', metavar='DIR')
    parser.add_argument(
        '--count', type=at_least(1), default=40, help='images of a folder')
    parser.add_argument(
        '--workers', type=at_least(1), nargs='+', default=[1, 2])
    parser.add_argument(
        '--batches', type=at_least(1), default=12, help='of 32 images')
    parser.add_argument('--repeats', type=at_least(1), default=5)
    return parser.parse_args()


def build(folder: str, workers: int, fast: bool):
    """The dataloader of the config, on photographs."""
    loader = Config.fromfile(IMAGENET).train_dataloader
    pipeline = loader.dataset.pipeline
    if not fast:
        pipeline = upstream(pipeline)
    loader.update(batch_size=32, num_workers=workers)
    loader.dataset = dict(
        type='RepeatDataset',
        times=100,
        dataset=dict(
            type='mmregioncl.ImageFolder', data_root=folder,
            pipeline=pipeline))
    return Runner.build_dataloader(loader, seed=0)


def images_per_second(loader, batches: int) -> float:
    """After two batches, in which workers start."""
    iterator = iter(loader)
    for _ in range(2):
        next(iterator)
    start = time.perf_counter()
    count = sum(len(next(iterator)['inputs'][0]) for _ in range(batches))
    spent = time.perf_counter() - start
    del iterator
    loader._iterator = None  # ends its workers
    return count / spent


def main() -> None:
    args = parse_args()
    warnings.simplefilter('ignore')
    init_default_scope('mmselfsup')
    print(header('cpu', 'opencv-python', 'numpy', 'mmselfsup'))
    with TemporaryDirectory() as scratch, TemporaryDirectory() as folder:
        for number, path in enumerate(photographs(args, scratch)):
            link = Path(folder) / f'{number}{Path(path).suffix}'
            link.symlink_to(Path(path).resolve())
        rates: Dict[tuple, List[float]] = {}
        for _ in range(args.repeats):
            for workers in args.workers:
                for fast in (False, True):
                    loader = build(folder, workers, fast)
                    rates.setdefault(
                        (workers, fast),
                        []).append(images_per_second(loader, args.batches))
    print(f'{"images a second, two views of 224 px":38} {"mmselfsup":>9} '
          f'{"mmregioncl":>10}  times as many (range of {args.repeats})')
    for workers in args.workers:
        theirs, ours = rates[workers, False], rates[workers, True]
        print(
            f'{f"{workers} worker(s)":38} {statistics.median(theirs):9.0f} '
            f'{statistics.median(ours):10.0f}', ratio(ours, theirs))
    first, last = args.workers[0], args.workers[-1]
    if first == last:
        return
    gain = ratio(rates[last, True], rates[first, True])
    print(f'\nOurs with {last} workers by ours with {first}: {gain}')


if __name__ == '__main__':
    main()
