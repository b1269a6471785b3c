"""Images that a dataloader delivers per second, by workers.

The dataloader of an ImageNet config, batches of 32, with mmselfsup's
transforms and with ours, in turn. That of a CIFAR-10 config with views made by
the workers, and with views made on the device, to the normalized views there.
"""
import argparse
import statistics
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Dict, List

import torch
from measure import at_least, header, ratio, upstream
from mmengine.config import Config
from mmengine.dataset import RepeatDataset
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import Runner
from transforms import CIFAR10, IMAGENET, photographs

ON_DEVICE = CIFAR10.with_stem(f'{CIFAR10.stem}-device-views')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--images', nargs='+', metavar='DIR')
    parser.add_argument(
        '--count', type=at_least(1), default=40, help='images of a folder')
    parser.add_argument(
        '--workers', type=at_least(1), nargs='+', default=[1, 2])
    parser.add_argument(
        '--batches', type=at_least(1), default=12, help='of 32 images')
    parser.add_argument('--cifar10', metavar='DIR', help='of the data set')
    parser.add_argument(
        '--batch', type=at_least(2), default=512, help='images of CIFAR-10')
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu')
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


def images_per_second(
        loader,
        batches: int,
        take: Callable[[dict], object] = lambda batch: None) -> float:
    """After two batches, in which workers start.

    Args:
        loader (DataLoader): The dataloader.
        batches (int): Batches to count.
        take (Callable): What is done with a batch. Defaults to nothing.
    """
    iterator, count = iter(loader), 0
    for number in range(-2, batches):
        if number == 0:
            wait()
            start = time.perf_counter()
        batch = next(iterator)
        take(batch)
        if number >= 0:
            count += len(batch['inputs'][0])
    wait()
    spent = time.perf_counter() - start
    del iterator
    loader._iterator = None  # ends its workers
    return count / spent


def wait() -> None:
    """For the work of the device."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def small(args: argparse.Namespace, workers: int) -> Dict[str, List[float]]:
    """Rates of CIFAR-10, whose views workers make, or the device."""
    runs = {}
    for name, path in dict(loader=CIFAR10, device=ON_DEVICE).items():
        cfg = Config.fromfile(path)
        dataset = DATASETS.build(
            dict(cfg.train_dataloader.dataset, data_prefix=args.cifar10))
        times = 1 + args.batch * (args.batches + 2) // len(dataset)
        cfg.train_dataloader.update(
            batch_size=args.batch,
            num_workers=workers,
            dataset=RepeatDataset(dataset, times))
        runs[name] = (Runner.build_dataloader(
            cfg.train_dataloader,
            seed=0), MODELS.build(cfg.model.data_preprocessor).to(args.device))
    rates: Dict[str, List[float]] = {name: [] for name in runs}
    for _ in range(args.repeats):
        for name, (loader, preprocessor) in runs.items():
            rates[name].append(
                images_per_second(
                    loader,
                    args.batches,
                    lambda batch, p=preprocessor: p(batch)))
    return rates


def main() -> None:
    args = parse_args()
    warnings.simplefilter('ignore')
    init_default_scope('mmselfsup')
    print(header(args.device, 'opencv-python', 'numpy', 'mmselfsup'))
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
    if first != last:
        gain = ratio(rates[last, True], rates[first, True])
        print(f'\nOurs with {last} workers by ours with {first}: {gain}')
    if args.cifar10:
        cifar10(args)


def cifar10(args: argparse.Namespace) -> None:
    """The table of CIFAR-10."""
    title = f'views of 32 px, {args.batch} at once'
    print(f'\n{title:38} {"by loader":>9} {"on device":>10}  times as many')
    for workers in args.workers:
        loader, device = small(args, workers).values()
        print(
            f'{f"{workers} worker(s)":38} {statistics.median(loader):9.0f} '
            f'{statistics.median(device):10.0f}', ratio(device, loader))


if __name__ == '__main__':
    main()
