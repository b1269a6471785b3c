"""Random draws that depend on numbers alone, not on earlier draws."""
import hashlib
import random
import struct
from contextlib import contextmanager
from typing import Iterator, Tuple

import numpy as np
import torch


def hash_words(*numbers: int) -> Tuple[int, int, int]:
    """Three independent 64-bit words that depend on all numbers.

    Neighbouring numbers, such as those of two images, give unrelated words.

    Args:
        *numbers (int): In the range of int64, such as seed, epoch and index.
    """
    packed = struct.pack(f'<{len(numbers)}q', *numbers)
    return struct.unpack('<3Q',
                         hashlib.blake2b(packed, digest_size=24).digest())


def seed_draws(*numbers: int, on_gpu: bool = False) -> None:
    """Seed the global generators of Python, NumPy and PyTorch.

    Each gets a seed of its own: equal seeds would give Python and NumPy the
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


@contextmanager
def kept_draws() -> Iterator[None]:
    """Restore the global generators of Python, NumPy and PyTorch on the CPU.

    Draws inside do not change those that follow.
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
