"""Random draws that depend only on given numbers, not on earlier draws."""
import hashlib
import random
import struct
from contextlib import contextmanager
from typing import Iterator, Tuple

import numpy as np
import torch
from torch import Tensor

# SplitMix64 (Steele, Lea and Flood, 2014), as int64
GAMMA = 0x9E3779B97F4A7C15 - 2**64
FACTORS = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


def hash_words(*numbers: int) -> Tuple[int, int, int]:
    """Three independent 64-bit words that depend on all numbers.

    Neighboring numbers, such as the indices of two images, give unrelated
    words.

    Args:
        *numbers (int): In the range of int64, such as seed, epoch and index.
    """
    packed = struct.pack(f'<{len(numbers)}q', *numbers)
    return struct.unpack('<3Q',
                         hashlib.blake2b(packed, digest_size=24).digest())


def seed_draws(*numbers: int, on_gpu: bool = False) -> None:
    """Seed the global generators of Python, NumPy and PyTorch.

    Each gets its own seed: equal seeds would give Python and NumPy the
    same numbers.

    Args:
        *numbers (int): In the range of int64.
        on_gpu (bool): Whether PyTorch's generator of the current GPU is
            seeded as well, if there is one in use. Defaults to False.
    """
    first, second, third = hash_words(*numbers)
    random.seed(first)
    np.random.seed(second % 2**32)
    # torch.manual_seed looks for every kind of device, which takes longer
    # than to augment an image.
    torch.default_generator.manual_seed(third)
    if on_gpu and torch.cuda.is_initialized():
        torch.cuda.manual_seed(third)


def mix_seeds(seeds: Tensor, first: int, count: int) -> Tensor:
    """Independent seeds that depend on a seed and a number each.

    The sequence of SplitMix64, from any number on. It is computed on the
    device of the seeds, and nothing is read back from there.

    Args:
        seeds (Tensor): Shape (N,), int64.
        first (int): The first number.
        count (int): How many numbers.

    Returns:
        Tensor: Shape (count, N), int64.
    """
    numbers = torch.arange(first + 1, first + count + 1, device=seeds.device)
    words = seeds + GAMMA * numbers[:, None]  # (count, N), wraps around
    for shift, factor in zip((30, 27), FACTORS):
        words = (words ^ shift_right(words, shift)) * factor
    return words ^ shift_right(words, 31)


def shift_right(words: Tensor, bits: int) -> Tensor:
    """Shift in zeros from the left, where ``>>`` copies the sign."""
    return (words >> bits) & (2**(64 - bits) - 1)


class BatchDraws:
    """Uniform random numbers for each image of a batch, on its device.

    The numbers of an image depend only on its seed and their order, not on
    the other images of the batch.

    Args:
        seeds (Tensor): Shape (N,), int64.
    """

    def __init__(self, seeds: Tensor) -> None:
        self.seeds = seeds
        self.used = 0

    def __call__(self, count: int) -> Tensor:
        """The next numbers, in [0, 1).

        Args:
            count (int): How many for each image.

        Returns:
            Tensor: Shape (count, N), float32.
        """
        words = mix_seeds(self.seeds, self.used, count)
        self.used += count
        return shift_right(words, 40) * 2**-24  # the precision of float32


@contextmanager
def kept_draws() -> Iterator[None]:
    """Restore the global generators of Python, NumPy and PyTorch on the CPU.

    Draws inside do not change later ones.
    """
    states = random.getstate(), np.random.get_state()
    generator = torch.default_generator
    state = generator.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        generator.set_state(state)
