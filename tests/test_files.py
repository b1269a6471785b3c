import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from mmregioncl import files
from mmregioncl.engine.storage import written_at
from mmregioncl.evaluation.run import read_features
from mmregioncl.files import atomic_write, locked, printable, write_json


def test_an_error_keeps_the_previous_file(tmp_path):
    path = tmp_path / 'new' / 'a.json'
    write_json(path, dict(a=1))
    with pytest.raises(KeyError), atomic_write(path) as part:
        part.write_text('half')
        raise KeyError
    assert json.loads(path.read_text()) == dict(a=1)
    assert list(path.parent.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    target = tmp_path / 'disk' / 'a.json'
    write_json(target, dict(a=1))
    link = tmp_path / 'a.json'
    link.symlink_to(target)
    write_json(link, dict(a=2))
    assert link.is_symlink()
    assert json.loads(target.read_text()) == dict(a=2)


def test_a_name_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json('a.json', {})
    assert [path.name for path in Path().iterdir()] == ['a.json']


def test_a_lock_keeps_what_others_write(tmp_path):
    path = tmp_path / 'a.json'
    write_json(path, {})

    def add(name):
        with locked(tmp_path):
            write_json(path, {**json.loads(path.read_text()), name: 1})

    with ThreadPoolExecutor(8) as pool:
        [*pool.map(add, map(str, range(100)))]
    assert len(json.loads(path.read_text())) == 100


def test_without_locks_nothing_is_locked(tmp_path, monkeypatch):
    """On some network file systems."""
    monkeypatch.setattr(files.fcntl, 'flock', Mock(side_effect=OSError))
    with locked(tmp_path):
        pass


class Code:
    """Runs when it is unpickled, as malicious code would."""

    def __reduce__(self):
        return os.mkdir, ('ran', )


@pytest.mark.parametrize(
    'read',
    [written_at, partial(read_features, identity={}, data={})])
def test_no_code_of_a_file_runs(read, tmp_path, monkeypatch):
    """Whatever is the default of torch.load."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    torch.save(Code(), 'a.pt')
    assert read(Path('a.pt')) in (('', 0), None)
    assert not Path('ran').exists()


@pytest.mark.parametrize('path, shown', [
    ('/data/é "ö" \'x\'.png', '/data/é "ö" \'x\'.png'),
    ('/data/\udcff.png', '/data/\\udcff.png'),
    ('/data/a\nb.png', '/data/a\\nb.png'),
])
def test_a_path_is_shown_in_one_line(path, shown):
    assert printable(path) == shown
    assert shown.encode()
