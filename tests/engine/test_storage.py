import subprocess
import sys
import time

import pytest
from mmengine.fileio import get_file_backend


@pytest.fixture
def backend():
    return get_file_backend(backend_args=dict(backend='mmregioncl.atomic'))


def test_file_is_replaced_whole(backend, tmp_path):
    path = tmp_path / 'new' / 'a.pth'
    for content in (b'first', b'second'):
        backend.put(content, path)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_kill_while_writing_leaves_a_whole_file(backend, tmp_path):
    path, part = tmp_path / 'a.pth', tmp_path / 'a.pth.part'
    backend.put(b'old', path)
    size = 2**28
    process = subprocess.Popen([
        sys.executable, '-c', 'import mmregioncl\n'
        'from mmengine.fileio import get_file_backend\n'
        "args = dict(backend='mmregioncl.atomic')\n"
        f"get_file_backend(backend_args=args).put(bytes({size}), '{path}')"
    ])
    while process.poll() is None and not part.exists():
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert path.stat().st_size in (3, size)  # the old one, or all of the new
