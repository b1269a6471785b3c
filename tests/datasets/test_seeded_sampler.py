import copy
import pickle
from itertools import chain, islice
from unittest.mock import patch

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader

from mmregioncl import host
from mmregioncl.datasets import (ImageFolder, SeededBatchSampler,
                                 SeededInfiniteSampler, SeededSampler)
from mmregioncl.datasets.transforms import PackSeededInputs

COUNT = 12


class Roll(BaseTransform):
    """Draws from PyTorch."""

    def transform(self, results: dict) -> dict:
        shift = int(torch.randint(16, ()))
        return dict(results, img=np.roll(results['img'], shift, 0))


# Draws of Python, NumPy and PyTorch, by our transforms, the host's and others
STEPS = [
    dict(
        type='mmregioncl.ContrastiveCrop',
        size=24,
        fixed_box=(0.25, 0.25, 0.75, 0.75)),
    dict(type='mmregioncl.RandomResizedCrop', size=16),
    dict(type='mmregioncl.ColorJitter', brightness=0.4, hue=0.1),
    dict(type=host.qualified('RandomGrayscale'), prob=0.5, keep_channels=True),
    dict(type='mmregioncl.RandomFlip', prob=0.5),
    dict(type=Roll)
]


class Labelled(ImageFolder):
    """With categories, which ClassBalancedDataset wants, and with sides."""
    METAINFO = dict(classes=('a', ))

    def get_data_info(self, index: int) -> dict:
        info = super().get_data_info(index)
        return dict(info, width=1 + index % 3, height=2)

    def get_cat_ids(self, index: int) -> list:
        return [0]


def folder_set(root, kind: type = ImageFolder) -> ImageFolder:
    return kind(
        data_root=str(root),
        pipeline=[
            dict(type='mmregioncl.LoadImage'),
            dict(type='mmregioncl.MultiView', num_views=2, transforms=[STEPS]),
            dict(type='mmregioncl.PackSelfSupInputs')
        ])


def epochs(dataset, workers=0, persistent=False, skip=0, seed=3) -> list:
    """Views of two epochs by position, as a loader gives them."""
    sampler = SeededSampler(dataset, seed=seed)
    loader = DataLoader(
        dataset,
        batch_size=3,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=persistent,
        collate_fn=list)
    views = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        sampler.skip(skip)
        assert len(loader) == -(-len(dataset) // 3)
        views.append(
            torch.stack([
                torch.stack(sample['inputs']) for batch in loader
                for sample in batch
            ]))
    return views


@pytest.mark.parametrize('workers, persistent', [(1, True), (2, False),
                                                 (8, True)])
def test_views_do_not_depend_on_workers(image_folder, workers, persistent):
    views = epochs(folder_set(image_folder), workers, persistent)
    for epoch, wanted in zip(views, epochs(folder_set(image_folder))):
        assert torch.equal(epoch, wanted)


def test_seeds_of_views_do_not_depend_on_workers(image_folder):
    """From which the device draws."""
    drawn = []
    for workers in (0, 2):
        dataset = folder_set(image_folder)
        dataset.pipeline.transforms[1:] = [PackSeededInputs()]
        sampler = SeededSampler(dataset, seed=3)
        loader = DataLoader(
            dataset, batch_size=3, sampler=sampler, num_workers=workers)
        for epoch in range(2):
            sampler.set_epoch(epoch)
            drawn.append(torch.cat([batch['seeds'] for batch in loader]))
    assert torch.equal(*(torch.cat(seeds) for seeds in (drawn[:2], drawn[2:])))
    assert len(torch.cat(drawn).unique()) == 2 * COUNT


def test_epochs_and_seeds_differ_and_epochs_begin_anywhere(image_folder):
    first, second = epochs(folder_set(image_folder))
    other, _ = epochs(folder_set(image_folder), seed=4)
    views = torch.cat((first, second, other)).flatten(2).flatten(0, 1)
    assert len(views.unique(dim=0)) == 3 * 2 * COUNT
    rest = epochs(folder_set(image_folder), skip=6)
    assert torch.equal(rest[0], first[6:])
    assert torch.equal(rest[1], second[6:])
    assert epochs(folder_set(image_folder), skip=COUNT - 1)[0].shape[0] == 1


def test_views_do_not_depend_on_the_number_of_processes(image_folder):
    alone = epochs(folder_set(image_folder))
    ranks = []
    for rank in range(3):
        with patch(
                'mmengine.dataset.sampler.get_dist_info',
                lambda rank=rank: (rank, 3)):
            sampler = SeededSampler(folder_set(image_folder), seed=3)
        sampler.set_epoch(1)
        samples = sampler.dataset.__getitems__([*sampler])
        ranks.append(torch.stack([torch.stack(s['inputs']) for s in samples]))
    assert torch.equal(torch.stack(ranks, 1).flatten(0, 1), alone[1])


@pytest.mark.parametrize('kind', [SeededSampler, SeededInfiniteSampler])
def test_orders_of_neighboring_seeds_are_unrelated(image_folder, kind):
    """MMEngine's second epoch has the order of the next seed's first.

    Two orders share one place on average, with a variance of one.
    """
    dataset = folder_set(image_folder)
    shared = []
    for seed in range(400):
        orders = []
        for shift, epoch in ((0, 1), (1, 0)):
            sampler = kind(dataset, seed=seed + shift)
            if kind is SeededSampler:
                sampler.set_epoch(epoch)
            else:
                sampler.skip(epoch * COUNT)
            orders.append([int(index) for index in islice(sampler, COUNT)])
        assert sorted(orders[0]) == sorted(orders[1]) == [*range(COUNT)]
        shared.append(np.equal(*orders).sum())
    assert 0.8 < np.mean(shared) < 1.2  # four standard errors


@pytest.mark.parametrize('shuffle', [True, False])
def test_infinite_orders_are_those_of_any_processes(image_folder, shuffle):
    dataset = folder_set(image_folder)

    def take(rank: int, world: int, count: int, skip: int = 0) -> list:
        with patch('mmengine.dataset.sampler.get_dist_info', lambda:
                   (rank, world)):
            sampler = SeededInfiniteSampler(dataset, shuffle, seed=3)
        sampler.skip(skip)
        return [(index.epoch, int(index)) for index in islice(sampler, count)]

    alone = take(0, 1, 3 * COUNT)
    assert alone == take(0, 1, 3 * COUNT)
    for epoch in range(3):
        part = alone[epoch * COUNT:(epoch + 1) * COUNT]
        assert sorted(part) == [(epoch, index) for index in range(COUNT)]
    orders = {
        tuple(index for _, index in alone[k * COUNT:(k + 1) * COUNT])
        for k in range(3)
    }
    assert len(orders) == (3 if shuffle else 1)
    for skip in (0, 1, 5):  # of 5 processes, which do not divide 12
        ranks = [take(rank, 5, 7 - skip, skip) for rank in range(5)]
        assert [*chain(*zip(*ranks))] == alone[5 * skip:35]


@pytest.mark.parametrize('wrap', [
    lambda root: ConcatDataset([folder_set(root),
                                folder_set(root)]),
    lambda root: RepeatDataset(folder_set(root), 2),
    lambda root: ClassBalancedDataset(folder_set(root, Labelled), 1.5)
])
def test_wrapped_data_sets_are_seeded(image_folder, wrap):
    """Images that occur twice have other views the second time."""
    with_workers = epochs(wrap(image_folder), 2)
    for epoch, wanted in zip(with_workers, epochs(wrap(image_folder))):
        assert torch.equal(epoch, wanted)
        views = epoch.flatten(0, 1).flatten(1)
        assert len(views.unique(dim=0)) == len(views)


@pytest.mark.parametrize('wrap', [
    lambda dataset: dataset, lambda dataset: ConcatDataset([dataset]),
    lambda dataset: RepeatDataset(dataset, 2),
    lambda dataset: ClassBalancedDataset(dataset, 1.5)
])
def test_batch_samplers_of_others_keep_the_views(image_folder, wrap):
    """And begin anywhere, also if they were stopped in the middle."""
    dataset = wrap(folder_set(image_folder, Labelled))
    sampler = SeededSampler(dataset, seed=3)
    batches = SeededBatchSampler(sampler, 4,
                                 dict(type='mmdet.AspectRatioBatchSampler'))
    loader = DataLoader(dataset, batch_sampler=batches, collate_fn=list)
    for epoch, plain in enumerate(epochs(dataset)):
        sampler.set_epoch(epoch)
        given = [
            torch.stack([torch.stack(sample['inputs']) for sample in batch])
            for batch in loader
        ]
        assert len(given) == len(loader)
        views = torch.cat(given)
        assert not torch.equal(views, plain)  # another order
        assert torch.equal(*(images.flatten(1).unique(dim=0)
                             for images in (views, plain)))
        next(iter(batches))
        batches.skip(2)
        rest = [indices for indices in batches]
        assert rest == [*batches][2:]


def test_an_extended_data_set_is_what_it_was(image_folder):
    dataset = folder_set(image_folder)
    SeededSampler(dataset)
    SeededSampler(dataset)  # once is enough
    assert isinstance(dataset, ImageFolder)
    assert type(dataset).__name__ == 'ImageFolder'
    assert type(dataset).__mro__[1] is ImageFolder
    for copied in (copy.copy(dataset), copy.deepcopy(dataset),
                   pickle.loads(pickle.dumps(dataset))):
        assert type(copied) is type(dataset)
        copied.pipeline = lambda info: info['sample_idx']
        assert copied.__getitems__([2, 1]) == [2, 1]  # its own pipeline
    assert 'inputs' in dataset.__getitems__([0])[0]


def test_a_data_set_that_pickles_in_its_own_way(image_folder):

    class Own(ImageFolder):

        def __reduce__(self) -> tuple:
            return folder_set, (image_folder, )

    dataset = folder_set(image_folder, Own)
    SeededSampler(dataset)
    assert type(pickle.loads(pickle.dumps(dataset))) is ImageFolder


def test_draws_of_the_training_process_go_on(image_folder):
    """Without workers, loading does not touch its random state."""
    dataset = folder_set(image_folder)
    sampler = SeededSampler(dataset, seed=0)
    torch.manual_seed(1), np.random.seed(1)
    wanted = torch.rand(3), np.random.rand(3)
    torch.manual_seed(1), np.random.seed(1)
    dataset.__getitems__([*sampler][:3])
    assert torch.equal(torch.rand(3), wanted[0])
    assert (np.random.rand(3) == wanted[1]).all()


def test_plain_indices_are_not_seeded(image_folder):
    dataset = folder_set(image_folder)
    SeededSampler(dataset)
    first, second = (dataset.__getitems__([0])[0]['inputs'] for _ in range(2))
    assert not torch.equal(first[0], second[0])


def test_samples_know_a_plain_index(image_folder):
    dataset = folder_set(image_folder)
    dataset.pipeline = lambda info: info['sample_idx']
    sampler = SeededSampler(dataset, shuffle=False)
    indices = dataset.__getitems__([*sampler])
    assert indices == [*range(COUNT)]
    assert {type(index) for index in indices} == {int}
