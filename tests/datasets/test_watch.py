import time
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from mmregioncl.datasets import (ImageFolder, SeededSampler, seeded_sampler,
                                 watch)


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Lines that any process has logged of images that take 0.3 s."""
    path = tmp_path / 'log'
    path.touch()

    def note(line: str, *args) -> None:
        with path.open('a') as file:
            file.write(line + '\n')

    monkeypatch.setattr(watch, 'PATIENCE', 0.3)
    monkeypatch.setattr(watch, 'print_log', note)
    monkeypatch.setattr(seeded_sampler, 'watch', watch.Watch())
    return lambda: path.read_text().splitlines()


class Slow(ImageFolder):
    """Of which one image takes a second."""

    def prepare_data(self, index: int) -> int:
        time.sleep(index == 5)
        return index


def load(dataset, workers: int) -> None:
    loader = DataLoader(
        dataset,
        2,
        sampler=SeededSampler(dataset, shuffle=False),
        num_workers=workers)
    assert torch.cat([*loader]).tolist() == [*range(12)]


@pytest.mark.parametrize('workers', [0, 2])
def test_an_image_that_takes_long_is_named_once(image_folder, told,
                                                monkeypatch, workers):
    monkeypatch.setenv('RANK', '3')
    load(Slow(data_root=str(image_folder)), workers)
    line, = told()
    path = Slow(data_root=str(image_folder)).get_data_info(5)['img_path']
    assert Path(path).exists()
    assert line.startswith(f'rank 3 has been loading {path} for 0 s: look at ')


def test_other_data_sets_are_watched_too(told):

    class Numbers(torch.utils.data.Dataset):

        def __len__(self) -> int:
            return 12

        def __getitem__(self, index: int) -> int:
            time.sleep(index == 5)
            return index

    load(Numbers(), 1)
    assert 'loading image 5 for' in told()[0]
