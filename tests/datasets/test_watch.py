import re
import time
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from mmregioncl.datasets import (ImageFolder, SeededSampler, seeded_sampler,
                                 watch)


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Lines that any process has logged of an image that takes 0.06 s.

    A busy machine may stall others, which are logged, too.
    """
    path = tmp_path / 'log'
    path.touch()

    def note(line: str, *args) -> None:
        with path.open('a') as file:
            file.write(line + '\n')

    monkeypatch.setattr(watch, 'PATIENCE', 0.06)
    monkeypatch.setattr(watch, 'print_log', note)
    monkeypatch.setattr(seeded_sampler, 'watch', watch.Watch())
    return lambda name: [
        line for line in path.read_text().splitlines() if f' {name} ' in line
    ]


def wait(told, name: str) -> None:
    """Until an image is told of, and for some more looks at it."""
    end = time.monotonic() + 30
    while not told(name) and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)


class Slow(ImageFolder):
    """Of which one image takes long."""

    def prepare_data(self, index: int) -> int:
        if index == 5:
            wait(self.told, self.get_data_info(5)['img_path'])
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
    dataset = Slow(data_root=str(image_folder))
    dataset.told = told
    load(dataset, workers)
    path = dataset.get_data_info(5)['img_path']
    assert Path(path).exists()
    line, = told(path)
    assert re.match(
        rf'rank 3 has been loading {re.escape(path)} for \d+ s: check ', line)


def test_other_data_sets_are_watched_too(told):

    class Numbers(torch.utils.data.Dataset):

        def __len__(self) -> int:
            return 12

        def __getitem__(self, index: int) -> int:
            if index == 5:
                wait(told, 'image 5')
            return index

    load(Numbers(), 1)
    assert 'loading image 5 for' in told('image 5')[0]
