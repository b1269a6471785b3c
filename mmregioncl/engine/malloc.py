"""Memory management of a process that trains on a CPU."""
import ctypes

# Parameters of glibc's mallopt by their numbers in malloc.h: no mmap for large
# tensors, never trim the heap, and grow it by 256 MiB at a time.
SETTINGS = {-4: 0, -1: -1, -2: 2**28}


def keep_freed_memory() -> bool:
    """Keep the memory of freed tensors for later ones.

    By default glibc returns most of it to the system after each step. Getting
    it back costs a page fault per 4 KiB, which slows RegionCL with its two
    graphs more than its parents (benchmarks/train_step_cpu.txt). The process
    does not shrink again. PyTorch's GPU allocator caches memory anyway.

    Returns:
        bool: Whether the settings were applied. False without glibc.
    """
    try:
        mallopt = ctypes.CDLL('libc.so.6').mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all([mallopt(*setting) for setting in SETTINGS.items()])
