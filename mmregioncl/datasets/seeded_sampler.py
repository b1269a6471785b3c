from copy import copy
from functools import cache, partial
from itertools import chain, count, islice
from typing import Any, Callable, Iterable, Iterator, List, Sized

import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import Sampler, get_worker_info

from mmregioncl.randomness import hash_words, kept_draws, seed_draws
from mmregioncl.registry import DATA_SAMPLERS
from .watch import watch


class SeededIndex(int):
    """Index of an image that knows the seed of its random draws.

    Attributes:
        seed (int): Seed of the run.
        epoch (int): Epoch, counted from 0.
    """
    seed: int
    epoch: int


class Skippable:
    """Mixin of samplers whose epochs can start at any item."""
    skipped = 0

    def skip(self, items: int) -> None:
        """Leave out the first items of this process in the next pass.

        Args:
            items (int): Images, or batches of a batch sampler, that were
                trained on before the run stopped.
        """
        self.skipped = items

    def take_skipped(self) -> int:
        """Return how many items this pass leaves out, and reset it."""
        items, self.skipped = self.skipped, 0
        return items


class Seeded(Skippable):
    """Mixin of samplers whose images know the seed of their random draws."""

    def __init__(self, dataset: Sized, *args, **kwargs) -> None:
        super().__init__(dataset, *args, **kwargs)
        # The loader has its data set before it asks for a sampler, so the data
        # set itself learns to fetch.
        if not isinstance(dataset, SeededFetch):
            dataset.__class__ = seeded_kind(type(dataset))


@DATA_SAMPLERS.register_module()
class SeededSampler(Seeded, DefaultSampler):
    """``DefaultSampler`` with reproducible views of images.

    The order of an epoch and the random draws of all transforms, of any
    package, depend only on the seed of the run, the epoch and the index of the
    image in the data set. They are the same with any number of workers or
    processes, whether workers persist or not, and after a run is resumed. With
    MMEngine's samplers, workers that do not persist repeat the views of the
    first epoch in every epoch.

    The seed travels with the index to the worker. Transforms and data sets
    need no changes: the class of the data set is extended by a method that
    loads a batch.

    Args:
        dataset (Sized): The whole data set, with its wrappers.
        shuffle (bool): Whether to shuffle the images. Defaults to True.
        seed (int, optional): Seed of the order and of the views, the same on
            all processes. Defaults to None, drawn at random. The Runner sets
            it to the seed of the run.
        round_up (bool): Whether images are repeated so that all processes get
            equally many. Defaults to True.
    """

    def __iter__(self) -> Iterator[int]:
        """Iterate over the indices, from the first that is not skipped."""
        # The parent's second epoch has the order of the next seed's first.
        order = DefaultSampler.__iter__(self.with_seed_of_epoch())
        rest = islice(order, self.take_skipped(), None)
        return map(partial(seeded_index, self.seed, self.epoch), rest)

    def with_seed_of_epoch(self) -> 'SeededSampler':
        """A copy that seeds the order with a hash of seed and epoch."""
        hashed = copy(self)
        hashed.seed, hashed.epoch = hash_words(self.seed, self.epoch)[0], 0
        return hashed


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(Seeded, InfiniteSampler):
    """``InfiniteSampler`` with reproducible views of images.

    Like :class:`SeededSampler`. An epoch is one pass of all processes together
    over the data set; a batch may span two of them.

    Args:
        dataset (Sized): The whole data set, with its wrappers.
        shuffle (bool): Whether to shuffle the images. Defaults to True.
        seed (int, optional): As of :class:`SeededSampler`.
    """

    def __iter__(self) -> Iterator[int]:
        """Iterate over the indices, from the first that is not skipped."""
        first = self.take_skipped() * self.world_size + self.rank
        epoch, begin = divmod(first, self.size)
        stream = chain.from_iterable(map(self.indices_of, count(epoch)))
        return islice(stream, begin, None, self.world_size)

    def indices_of(self, epoch: int) -> Iterator[int]:
        """The indices of all processes in an epoch."""
        order: Iterable[int] = range(self.size)
        if self.shuffle:
            seed = hash_words(self.seed, epoch)[0]
            order = torch.randperm(
                self.size,
                generator=torch.Generator().manual_seed(seed)).tolist()
        return map(partial(seeded_index, self.seed, epoch), order)


class SeededBatchSampler(Skippable, Sampler):
    """Wrap a batch sampler so that iteration can start at any batch.

    Skipped batches are made again, but their images are not loaded.
    ``AspectRatioBatchSampler`` of MMDetection, for example, looks up their
    sizes.

    Args:
        sampler (Seeded): A sampler of images.
        batch_size (int): Images of a batch.
        batches (dict): Config of the batch sampler. Its batches must depend
            only on the images and their order.
    """

    def __init__(self, sampler: Seeded, batch_size: int,
                 batches: dict) -> None:
        self.sampler = sampler
        self.build = partial(
            DATA_SAMPLERS.build,
            batches,
            default_args=dict(sampler=sampler, batch_size=batch_size))
        self.batches = self.build()
        self.batch_size = getattr(self.batches, 'batch_size', batch_size)

    def __len__(self) -> int:
        """Batches of a pass."""
        return len(self.batches)

    def __iter__(self) -> Iterator[List[int]]:
        """Iterate over batches, from the first that is not skipped."""
        # A loader with workers makes two iterators and starts one.
        yield from islice(self.batches, self.take_skipped(), None)

    def skip(self, items: int) -> None:
        """Leave out the first batches of this process in the next pass."""
        super().skip(items)
        # The current sampler may hold state of an unfinished pass.
        self.batches = self.build()


def seeded_index(seed: int, epoch: int, index: int) -> SeededIndex:
    """Attach seed and epoch to an index."""
    seeded = SeededIndex(index)
    seeded.seed, seeded.epoch = seed, epoch
    return seeded


class SeededFetch:
    """Mixin of data sets that loads batches with seeded random draws."""
    __slots__ = ()  # a class can only be changed to one of the same layout

    def __getitems__(self, indices: List[int]) -> List[Any]:
        """Load the samples of a batch; PyTorch's loaders call this.

        Args:
            indices (list[int]): Random draws for a :class:`SeededIndex` are
                seeded; draws for other indices are not.
        """
        seeded = isinstance(indices[0], SeededIndex)
        if seeded and get_worker_info() is None:  # in the training process
            with kept_draws():
                return [self.load_seeded(index) for index in indices]
        return [self.load_seeded(index) for index in indices]

    def load_seeded(self, index: int) -> Any:
        """Load one sample."""
        if isinstance(index, SeededIndex):
            seed_draws(index.seed, index.epoch, index)
            index = int(index)
        watch.begin(self, index)
        try:
            return self[index]
        finally:
            watch.end()

    def __reduce_ex__(self, protocol: int) -> tuple:
        """Pickle as an object of the class that was extended."""
        reduced = super().__reduce_ex__(protocol)
        make, (kind, *args), *rest = reduced
        if kind is not type(self):  # a data set with its own pickling
            return reduced
        return make_seeded, (make, kind.__mro__[1], *args), *rest


@cache
def seeded_kind(kind: type) -> type:
    """The class of data sets, with :class:`SeededFetch` added."""
    names = dict(
        __module__=kind.__module__,
        __qualname__=kind.__qualname__,
        __getitems__=SeededFetch.__getitems__)
    # First comes the class whose layout in memory the objects have.
    return type(kind.__name__, (kind, SeededFetch), names)


def make_seeded(make: Callable, kind: type, *args) -> Any:
    """Unpickle a data set."""
    return make(seeded_kind(kind), *args)
