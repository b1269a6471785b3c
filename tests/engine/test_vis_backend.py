import errno
import json
from unittest.mock import Mock

import pytest
from mmengine.visualization import LocalVisBackend

from mmregioncl.engine import vis_backend
from mmregioncl.engine.vis_backend import SafeVisBackend


@pytest.fixture
def full(monkeypatch):
    """Whether the disk is full: a line is then cut off."""
    state = dict(full=False)
    dump = LocalVisBackend._dump

    def dump_half(self, values, path, file_format):
        if not state['full']:
            return dump(self, values, path, file_format)
        with open(path, 'a') as file:
            file.write(json.dumps(values)[:4])
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(LocalVisBackend, '_dump', dump_half)
    return state


def test_no_scalar_is_lost_on_a_full_disk(tmp_path, full, monkeypatch):
    monkeypatch.setattr(vis_backend, 'print_log', warned := Mock())
    backend = SafeVisBackend(str(tmp_path))
    for step in range(6):
        full['full'] = step in (2, 3)
        backend.add_scalars(dict(loss=step / 2), step, f'{step // 3}.json')
        backend.add_scalar('lr', 0.1, step)
    for name, steps in (('scalars', [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5,
                                     5]), ('0', [0, 1, 2]), ('1', [3, 4, 5])):
        lines = (tmp_path / f'{name}.json').read_text().splitlines()
        assert [json.loads(line)['step'] for line in lines] == steps
    line, *_ = warned.call_args.args
    assert warned.call_count == 1
    assert line.endswith('No space left on device): make room')
