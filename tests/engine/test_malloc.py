from unittest.mock import Mock

from mmregioncl.engine import malloc


def test_freed_memory_is_kept(run_python):
    """A tensor that is created again causes no page faults."""
    done = run_python(
        '-c', f"""
import resource
import runpy
import torch

keep_freed_memory = runpy.run_path({malloc.__file__!r})['keep_freed_memory']

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)  # 16,384 pages of 4 KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(min(faults() for _ in range(4)))
assert keep_freed_memory()
print(min(faults() for _ in range(16)))  # once the heap has grown
""")
    returned, kept = map(int, done.stdout.split())
    assert kept < returned / 10


def test_other_c_libraries_have_no_settings(monkeypatch):
    monkeypatch.setattr(malloc.ctypes, 'CDLL', Mock(side_effect=OSError))
    assert not malloc.keep_freed_memory()
