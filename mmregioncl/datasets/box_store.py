from typing import Any, List, Optional, Tuple

import torch
from mmengine.dataset import Compose
from torch import Tensor

from .nested import innermost


class BoxStore:
    """One box per image of a data set, in shared memory.

    Edges are stored in whole pixels of the image in which the box was found,
    in one byte each up to 255 pixels and in two above. The boxes of
    ImageNet-1k take 5 MB per rank at 224 pixels. Those of eight ranks fit into
    the 64 MB of shared memory that a container has by default. Batches pass
    through it as well: raise it with ``--shm-size`` if a worker has a bus
    error.

    Args:
        count (int): Number of images.
        image_size (tuple[int, int]): Height and width in pixels.
    """

    def __init__(self, count: int, image_size: Tuple[int, int]) -> None:
        height, width = image_size
        self.image_size = (height, width)
        self.whole = torch.tensor([0, 0, height, width])
        self.scale = torch.tensor([height, width, height, width])
        dtype = torch.uint8 if max(image_size) < 256 else torch.int16
        # Changed in place only, since workers share the memory
        self.edges = self.whole.to(dtype).repeat(count, 1).share_memory_()
        self.active = torch.zeros(1, dtype=torch.bool).share_memory_()

    def __len__(self) -> int:
        return len(self.edges)

    def __getitem__(self,
                    index: int) -> Optional[Tuple[float, float, float, float]]:
        """Return a box, or None while the store is not active.

        Returns:
            tuple[float, float, float, float]: Top, left, bottom and right as
            fractions of the image.
        """
        if not self.active:
            return None
        height, width = self.image_size
        top, left, bottom, right = self.edges[index].tolist()
        return top / height, left / width, bottom / height, right / width

    @property
    def boxes(self) -> Tensor:
        """All boxes as fractions of the image, (N, 4) float32."""
        return self.edges / self.scale

    def to_edges(self, boxes: Tensor) -> Tensor:
        """Convert boxes from fractions to whole pixels, (N, 4) int64."""
        return (boxes * self.scale.to(boxes.device)).round().long()

    def update(self, edges: Tensor) -> None:
        """Set edges in pixels, (N, 4), except for rows of -1."""
        self.edges.copy_(torch.where(edges >= 0, edges, self.edges))


class HandOutBox:
    """First step of a pipeline, which adds ``ccrop_box`` to a sample.

    Args:
        store (BoxStore): The boxes, indexed by ``sample_idx``, which MMEngine
            adds to the samples of every data set.
    """

    def __init__(self, store: BoxStore) -> None:
        self.store = store

    def __call__(self, results: dict) -> dict:
        """Add the box, or None while the store is not active."""
        results['ccrop_box'] = self.store[results['sample_idx']]
        return results


def attach_boxes(dataset, image_size: Tuple[int, int]) -> List[BoxStore]:
    """Add ``ccrop_box`` to each sample of a data set.

    Call it before workers are started, since they copy the data set.

    Args:
        dataset (BaseDataset): A data set of any OpenMMLab package, or a
            wrapper of several.
        image_size (tuple[int, int]): Height and width in pixels of the images
            in which boxes are found.

    Returns:
        list[BoxStore]: One store per innermost data set, not active yet.
    """
    stores = []
    for part in innermost(dataset):
        stores.append(BoxStore(len(part), image_size))
        part.pipeline = Compose(
            [HandOutBox(stores[-1]), *part.pipeline.transforms])
    return stores


def is_saved(state: Any) -> bool:
    """Whether a checkpoint contains boxes as they are saved, undamaged."""
    kinds = dict(
        edges=list,
        image_size=list,
        fingerprints=list,
        schedule=tuple,
        histograms=dict)
    if not isinstance(state, dict) or not all(
            isinstance(state.get(name), kind) for name, kind in kinds.items()):
        return False
    numbers = [*state['image_size'], *state['schedule']]
    if len(state['image_size']) != 2 or len(numbers) != 4 or not all(
            isinstance(number, int) and 0 <= number < 2**31
            for number in numbers):
        return False
    sides = torch.tensor(state['image_size'] * 2)
    return all(are_edges(edges, sides) for edges in state['edges'])


def are_edges(edges: Any, sides: Tensor) -> bool:
    """Whether these are edges (N, 4) in pixels, within sides (4,)."""
    return (torch.is_tensor(edges)
            and edges.dtype in (torch.uint8, torch.int16)
            and edges.shape[1:] == (4, ) and bool(
                ((0 <= edges) & (edges <= sides)).all()))
