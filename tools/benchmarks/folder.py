"""Time and memory of a folder with many images, by the way paths are kept.

The files are empty: only their paths are listed and handed out. Each way is
measured in a process of its own. Memory of a worker is its private part, after
each worker has read its share of all paths.
"""
import argparse
import multiprocessing
import os
import resource
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict, List

from measure import at_least, header
from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader

from mmregioncl.datasets import ImageFolder
from mmregioncl.datasets.image_folder import list_images


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--images', type=at_least(1000), default=10**6)
    parser.add_argument('--workers', type=at_least(1), default=8)
    parser.add_argument(
        '--scratch', help='folder for the files (default: of the system)')
    return parser.parse_args()


class Dicts(BaseDataset):
    """A dict for each image, as MMEngine's data sets make them."""

    def load_data_list(self) -> List[dict]:
        paths = list_images(self.data_root, ImageFolder.EXTENSIONS)
        return [dict(img_path=path) for path in paths]


def make_files(root: Path, count: int) -> None:
    """Write empty files with names as long as those of ImageNet."""
    for start in range(0, count, 1000):
        folder = root / 'images' / f'n{start:08d}'
        folder.mkdir(parents=True)
        for number in range(start, min(start + 1000, count)):
            os.close(
                os.open(f'{folder}/{folder.name}_{number}.JPEG', os.O_CREAT))
    with zipfile.ZipFile(root / 'images.zip', 'w') as archive:
        for path in list_images(str(root / 'images'), ImageFolder.EXTENSIONS):
            archive.write(path, path.removeprefix(f'{root}/images/'))


def private(pid: int) -> float:
    """Memory that a process does not share, in MiB."""
    lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()[1:]
    sizes = {line.split(':')[0]: int(line.split()[1]) for line in lines}
    return (sizes['Private_Clean'] + sizes['Private_Dirty']) / 1024


def most_memory() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str, root: str, workers: int, sender) -> None:
    """Build a data set, read all paths in workers, and send the numbers."""
    make = dict(
        dicts=lambda: Dicts(data_root=root, serialize_data=False),
        pickles=lambda: Dicts(data_root=root),
        ours=lambda: ImageFolder(root),
        zip=lambda: ImageFolder(f'{root}.zip'))[name]
    before, peak = private(os.getpid()), most_memory()
    start = time.perf_counter()
    dataset = make()
    spent = time.perf_counter() - start
    kept = private(os.getpid()) - before
    peak = most_memory() - peak
    loader = DataLoader(
        dataset,
        batch_size=1000,
        num_workers=workers,
        collate_fn=len,
        multiprocessing_context='fork',
        persistent_workers=True)
    sum(loader)
    memory = [private(worker.pid) for worker in loader._iterator._workers]
    sender.send((spent, kept, peak, sum(memory) / workers))


def main() -> None:
    args = parse_args()
    print(header('cpu', 'mmengine', 'numpy'))
    names = dict(
        dicts='a list of dicts, serialize_data=False',
        pickles='a pickle each in one array, MMEngine',
        ours='names in one array, ImageFolder',
        zip='the same of a zip')
    print(f'{f"{args.images} images, {args.workers} workers":40} '
          f'{"start, s":>8} {"MiB kept":>8} {"at peak":>8} '
          f'{"MiB of a worker":>15}')
    numbers: Dict[str, tuple] = {}
    with TemporaryDirectory(dir=args.scratch) as scratch:
        make_files(Path(scratch), args.images)
        for name, text in names.items():
            receiver, sender = multiprocessing.Pipe(duplex=False)
            process = multiprocessing.get_context('spawn').Process(
                target=measure,
                args=(name, f'{scratch}/images', args.workers, sender))
            process.start()
            numbers[name] = receiver.recv()
            process.join()
            spent, kept, peak, worker = numbers[name]
            print(f'{text:40} {spent:8.1f} {kept:8.0f} {peak:8.0f} '
                  f'{worker:15.0f}')


if __name__ == '__main__':
    main()
