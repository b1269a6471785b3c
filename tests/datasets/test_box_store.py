import pickle
from multiprocessing.reduction import ForkingPickler

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader

from mmregioncl.datasets import CIFAR10, STL10, ImageFolder, TinyImageNet
from mmregioncl.datasets.box_store import BoxStore, attach_boxes
from mmregioncl.datasets.fingerprint import fingerprint
from mmregioncl.datasets.nested import innermost


class Samples(BaseDataset):
    """Ten samples without images."""

    def load_data_list(self):
        return [dict(number=number) for number in range(10)]


def test_persistent_workers_see_an_update(image_folder):
    """Boxes change while the workers persist."""
    dataset = ImageFolder(str(image_folder), indices=10)
    store, = attach_boxes(dataset, (32, 32))
    loader = DataLoader(
        dataset,
        batch_size=5,
        num_workers=1,
        persistent_workers=True,
        collate_fn=list)

    def seen():
        return [sample['ccrop_box'] for batch in loader for sample in batch]

    assert seen() == [None] * 10
    store.active.fill_(True)
    assert seen() == [(0, 0, 1, 1)] * 10
    boxes = torch.arange(40).view(10, 4) % 32 / 32
    store.update(store.to_edges(boxes))
    assert torch.equal(store.boxes, boxes)
    assert seen() == [tuple(box) for box in boxes.tolist()]


def test_spawned_workers_share_the_boxes():
    """They get the store by a pickle of this kind."""
    store = BoxStore(2, (32, 32))
    theirs = pickle.loads(ForkingPickler.dumps(store))
    store.active.fill_(True)
    store.update(torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]]))
    assert theirs.active
    assert torch.equal(theirs.edges, store.edges)


@pytest.mark.parametrize('image_size', [(32, 32), (224, 224), (255, 96),
                                        (512, 300)])
def test_boxes_are_kept_exactly(image_size):
    scale = torch.tensor(image_size * 2)
    edges = (torch.rand(50, 4) * scale).long()
    edges[0] = torch.tensor([0, 0, *image_size])
    boxes = edges / scale
    store = BoxStore(50, image_size)
    store.update(store.to_edges(boxes))
    assert torch.equal(store.boxes, boxes)
    assert torch.equal(store.edges.long(), edges)


def test_rows_of_minus_one_keep_their_box():
    store = BoxStore(2, (32, 32))
    store.update(torch.tensor([[1, 2, 3, 4], [-1, -1, -1, -1]]))
    assert store.edges.tolist() == [[1, 2, 3, 4], [0, 0, 32, 32]]


def test_imagenet_on_eight_ranks_fits_into_a_container():
    store = BoxStore(1281167, (224, 224))
    assert 8 * store.edges.nbytes < 64 * 2**20


def test_data_sets_in_wrappers():
    one, other = Samples(), Samples(indices=4)
    mixed, again = ConcatDataset([one, other]), RepeatDataset(Samples(), 2)
    assert list(innermost(mixed)) == [one, other]
    stores = attach_boxes(mixed, (32, 32)) + attach_boxes(again, (32, 32))
    assert [len(store) for store in stores] == [10, 4, 10]
    for number, store in enumerate(stores):
        store.active.fill_(True)
        store.update(torch.full((len(store), 4), number))
    assert mixed[9]['ccrop_box'] == (0, 0, 0, 0)
    assert mixed[13]['ccrop_box'] == (1 / 32, ) * 4
    assert again[19]['ccrop_box'] == (2 / 32, ) * 4


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / 'images'
    root.mkdir()
    for name in 'abc':
        cv2.imwrite(str(root / f'{name}.png'), np.zeros((8, 8, 3), np.uint8))
    return root


def test_fingerprint_depends_on_files_and_their_order(folder, tmp_path):
    first = fingerprint(ImageFolder(str(folder)))
    assert first == fingerprint(ImageFolder(f'{folder}/'))
    assert first != fingerprint(ImageFolder(str(folder), indices=[0, 2, 1]))
    assert first != fingerprint(ImageFolder(str(folder), indices=2))
    moved = folder.rename(tmp_path / 'moved')
    assert first == fingerprint(ImageFolder(str(moved)))
    (moved / 'b.png').rename(moved / 'bb.png')
    assert first != fingerprint(ImageFolder(str(moved)))


def test_fingerprint_does_not_depend_on_the_spelling_of_the_root(
        tmp_path, monkeypatch):
    root = tmp_path / 'tiny-imagenet-200'
    (root / 'train/n1/images').mkdir(parents=True)
    (root / 'train/n1/images/0.JPEG').touch()
    (root / 'wnids.txt').write_text('n1')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path))
    spellings = (root, f'{root}/', f'{root}//', './tiny-imagenet-200',
                 'tiny-imagenet-200', '~/tiny-imagenet-200')
    assert len({
        fingerprint(TinyImageNet(data_root=str(spelling)))
        for spelling in spellings
    }) == 1


def test_fingerprint_of_images_without_files(cifar_folder, stl10_folder):

    def build(**settings):
        return CIFAR10(data_prefix=str(cifar_folder), **settings)

    first = fingerprint(build())
    assert first == fingerprint(build())
    assert first != fingerprint(build(indices=[1, 0]))
    dataset = STL10(data_root=str(stl10_folder))
    assert fingerprint(dataset) != fingerprint(
        STL10(data_root=str(stl10_folder), splits='train'))
