import sys
from unittest.mock import Mock

import pytest
from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError

from mmregioncl import host
from mmregioncl.engine.config import load_config


def test_a_missing_base_is_named(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("_base_ = ['nowhere.py']")
    with pytest.raises(
            FileNotFoundError,
            match='config.py cannot be read, since its base .*/nowhere.py '
            'does not exist: '):
        load_config(path)
    with pytest.raises(FileNotFoundError, match='no config .*/nowhere.py: co'):
        load_config(tmp_path / 'nowhere.py')


def test_mixed_ways_to_inherit_are_refused(tmp_path, monkeypatch):
    """Bases in strings beside an import, which MMEngine takes for a base."""
    monkeypatch.setattr(Config, 'fromfile',
                        Mock(side_effect=ConfigParsingError('mixed')))
    with pytest.raises(
            ValueError, match='the config a.py cannot be read: mixed'):
        load_config('a.py')


@pytest.mark.parametrize('name, text, words', [
    ('a.py', 'a = = 3', '{path} is not valid Python'),
    ('a.py', 'a = 3', 'has no model'),
    ('a.json', '{"model": ', 'the config {path} cannot be read: Expecting'),
    ('a.yml', 'model: [1, 2', 'the config {path} cannot be read: ParserError'),
    ('a.yaml', 'model: !!python/object/apply:os.system ["true"]',
     'the config {path} cannot be read: the file holds object/apply:os.sys'),
])
def test_other_files_are_refused(name, text, words, tmp_path):
    """By their own name, and not by that of MMEngine's copy."""
    path = tmp_path / name
    path.write_text(text)
    heir = tmp_path / 'heir.py'
    heir.write_text(f'_base_ = {name!r}')
    for given in (path, heir):
        with pytest.raises(ValueError, match=words.format(path=path)):
            load_config(given)


def test_errors_in_the_code_of_a_config_stay_what_they_are(tmp_path):
    path = tmp_path / 'a.py'
    path.write_text("model = dict(depth=int('x'))")
    with pytest.raises(ValueError, match='^invalid literal for int'):
        load_config(path)
    path.write_text("names = open('/no/names.py').read()")
    with pytest.raises(FileNotFoundError, match="directory: '/no/names.py'"):
        load_config(path)


@pytest.mark.parametrize('text, kind, words', [
    ('a = = 1', SyntaxError, 'invalid syntax'),
    ("open('/no/names.py')", FileNotFoundError, "directory: '/no/names.py'"),
    ('raise ImportError("foo") from RuntimeError("bar")', ImportError,
     'own_module'),
    ('try:\n    raise ImportError(name={other!r})\n'
     'except ImportError:\n    import no_such', ImportError, 'own_module'),
])
def test_errors_in_an_imported_module_stay_what_they_are(
        text, kind, words, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'own_module', raising=False)
    other, = host.SCOPES.keys() - {host.NAME}
    (tmp_path / 'own_module.py').write_text(text.format(other=other))
    path = tmp_path / 'a.py'
    path.write_text("custom_imports = dict(imports=['own_module'])")
    with pytest.raises(kind, match=words):
        load_config(path)
