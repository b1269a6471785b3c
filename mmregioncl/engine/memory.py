"""Memory of a process that trains on a CPU."""
import ctypes

# Parameters of glibc's mallopt by their numbers in malloc.h: never map a
# tensor on its own, never trim the heap, and grow it by 256 MiB at a time.
SETTINGS = {-4: 0, -1: -1, -2: 2**28}


def keep_freed_memory() -> bool:
    """Let the C library keep the memory of freed tensors for the next ones.

    By default glibc gives most of it back to the system after each step and
    takes it anew, at a page fault for every 4 KiB, which slows RegionCL with
    its two graphs more than its parents (benchmarks/train_step_cpu.txt).
    PyTorch's allocator for GPUs keeps memory by itself. The process does not
    shrink again.

    Returns:
        bool: Whether there was a glibc that does so.
    """
    try:
        mallopt = ctypes.CDLL('libc.so.6').mallopt
    except (OSError, AttributeError):  # another system, another C library
        return False
    return all([mallopt(*setting) for setting in SETTINGS.items()])
