"""Time and memory of a folder with many images, by how paths are stored.

The files are empty: only their paths are listed and handed out. Each way is
measured in a separate process. Memory of a worker is what it does not share,
after it has read all paths, as workers do over several epochs.
"""
import argparse
import multiprocessing
import os
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import List

from measure import at_least, header
from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader, get_worker_info

from mmregioncl.datasets import ImageFolder
from mmregioncl.datasets.image_folder import list_images, list_names
from mmregioncl.files import atomic_write


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--images', type=at_least(1000), default=10**6)
    parser.add_argument('--workers', type=at_least(1), default=8)
    parser.add_argument(
        '--scratch',
        metavar='DIR',
        help='folder for the files, which are found again (default: a '
        'temporary one)')
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
    with atomic_write(root / 'images.zip') as part, zipfile.ZipFile(
            part, 'w') as archive:
        for name in list_names(f'{root}/images', ImageFolder.EXTENSIONS):
            archive.writestr(name, b'')


def private(pid: int) -> float:
    """Memory that a process does not share, in MiB."""
    lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()[1:]
    sizes = {line.split(':')[0]: int(line.split()[1]) for line in lines}
    return (sizes['Private_Clean'] + sizes['Private_Dirty']) / 1024


def most_memory() -> float:
    """The most memory that this process has had, in MiB."""
    status = Path('/proc/self/status').read_text()
    return int(status.split('VmHWM:')[1].split()[0]) / 1024


def read_all(worker: int) -> None:
    """Read all paths, as a worker does over several epochs."""
    dataset = get_worker_info().dataset
    for index in range(len(dataset)):
        dataset.get_data_info(index)


def measure(name: str, root: str, workers: int, sender) -> None:
    """Build a data set, start workers, and send the numbers."""
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
        worker_init_fn=read_all,
        multiprocessing_context='fork',
        persistent_workers=True)
    iterator = iter(loader)
    for _ in range(workers):  # a batch of each
        next(iterator)
    memory = [private(worker.pid) for worker in iterator._workers]
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
    with TemporaryDirectory() as temporary:
        scratch = args.scratch or temporary
        if not (Path(scratch) / 'images.zip').exists():
            make_files(Path(scratch), args.images)
        for name, text in names.items():
            receiver, sender = multiprocessing.Pipe(duplex=False)
            process = multiprocessing.get_context('spawn').Process(
                target=measure,
                args=(name, f'{scratch}/images', args.workers, sender))
            process.start()
            spent, kept, peak, worker = receiver.recv()
            process.join()
            print(f'{text:40} {spent:8.1f} {kept:8.0f} {peak:8.0f} '
                  f'{worker:15.0f}')


if __name__ == '__main__':
    main()
