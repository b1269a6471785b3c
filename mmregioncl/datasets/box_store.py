import hashlib
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from torch import Tensor


class BoxStore:
    """A box for each image of a data set, in memory that workers share.

    Boxes count the pixels of the image in which they were found: a byte for
    each edge up to 255 pixels, two bytes above. The boxes of ImageNet-1k take
    5 MB on each rank at 224 pixels, and those of eight ranks fit into the
    64 MB of shared memory that a container has by default (batches go through
    it as well: raise it with ``--shm-size`` if a worker dies of a bus error).

    Args:
        count (int): Images.
        image_size (tuple[int, int]): Height and width in pixels.
    """

    def __init__(self, count: int, image_size: Tuple[int, int]) -> None:
        height, width = image_size
        self.image_size = (height, width)
        self.whole = torch.tensor([0, 0, height, width])
        self.scale = torch.tensor([height, width, height, width])
        dtype = torch.uint8 if max(image_size) < 256 else torch.int16
        # Both are changed in place alone: workers hold the same memory.
        self.edges = self.whole.to(dtype).repeat(count, 1).share_memory_()
        self.active = torch.zeros(1, dtype=torch.bool).share_memory_()

    def __len__(self) -> int:
        return len(self.edges)

    def __getitem__(self,
                    index: int) -> Optional[Tuple[float, float, float, float]]:
        """Top, left, bottom and right in fractions, or None if not active."""
        if not self.active:
            return None
        height, width = self.image_size
        top, left, bottom, right = self.edges[index].tolist()
        return top / height, left / width, bottom / height, right / width

    @property
    def boxes(self) -> Tensor:
        """All boxes in fractions, (N, 4) float32."""
        return self.edges / self.scale

    def to_edges(self, boxes: Tensor) -> Tensor:
        """Boxes in fractions to whole pixels, (N, 4) int64."""
        return (boxes * self.scale.to(boxes.device)).round().long()

    def update(self, edges: Tensor) -> None:
        """Take over edges in pixels, (N, 4); rows below 0 stay as they are."""
        self.edges.copy_(torch.where(edges >= 0, edges, self.edges))


class HandOutBox:
    """First step of a pipeline: add ``ccrop_box`` to a sample.

    Args:
        store (BoxStore): Indexed by ``sample_idx``, which every data set of
            MMEngine gives to its samples.
    """

    def __init__(self, store: BoxStore) -> None:
        self.store = store

    def __call__(self, results: dict) -> dict:
        """Add the box, or None while the store is not active."""
        results['ccrop_box'] = self.store[results['sample_idx']]
        return results


def innermost(dataset) -> Iterator[BaseDataset]:
    """The data sets that index images themselves, below all wrappers."""
    if hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from innermost(part)
    elif hasattr(dataset, 'dataset'):
        yield from innermost(dataset.dataset)
    else:
        yield dataset


def attach_boxes(dataset, image_size: Tuple[int, int]) -> List[BoxStore]:
    """Let a data set hand ``ccrop_box`` to each of its samples.

    Call it before workers are started, which copy the data set.

    Args:
        dataset (BaseDataset): Of any class of the OpenMMLab packages, or such
            data sets in wrappers.
        image_size (tuple[int, int]): Height and width in pixels of the images
            in which boxes are found.

    Returns:
        list[BoxStore]: One for each innermost data set, not active yet.
    """
    stores = []
    for part in innermost(dataset):
        stores.append(BoxStore(len(part), image_size))
        part.pipeline = Compose(
            [HandOutBox(stores[-1]), *part.pipeline.transforms])
    return stores


def fingerprint(dataset: BaseDataset) -> str:
    """A hash of the images of a data set and of their order.

    Files count by their names below the root, which may move; images without a
    file by their pixels, or by where they stand in their archive.
    """
    roots = [dataset.data_root, *dataset.data_prefix.values()]
    roots = [str(Path(root).expanduser()) for root in roots if root]
    digest = hashlib.blake2b(digest_size=16)
    for index in range(len(dataset)):
        # Not what a subclass adds, such as the pixels of STL-10
        info = BaseDataset.get_data_info(dataset, index)
        path = info.get('img_path')
        if path is not None:
            path = str(Path(path).expanduser())
            for root in roots:
                path = path.removeprefix(root)
            info = dict(path=path.lstrip('/'))
        for name in sorted(info):
            value = info[name]
            value = value.tobytes() if isinstance(
                value, np.ndarray) else str(value).encode()
            digest.update(name.encode() + b'=' + value + b';')
    return digest.hexdigest()
