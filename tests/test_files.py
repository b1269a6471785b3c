import json
from pathlib import Path

import pytest

from mmregioncl.files import atomic_write, write_json


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
