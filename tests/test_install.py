"""What a user installs: the wheel and what mim finds in it."""
import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
METAFILES = [
    f'configs/{folder}/metafile.yml'
    for folder in ('contrastivecrop', 'regioncl')
]


@pytest.fixture(scope='session')
def wheel(tmp_path_factory):
    """A wheel built from a copy of the sources.

    An editable wheel is built from the same copy.
    """
    source = tmp_path_factory.mktemp('wheel') / 'source'
    shutil.copytree(
        ROOT,
        source,
        ignore=shutil.ignore_patterns('.*', 'build', 'work_dirs', 'data',
                                      'demo', '*.egg-info', '__pycache__',
                                      'metafile.yml'))
    code = ("from setuptools import build_meta; build_meta.build_wheel('..');"
            "build_meta.build_editable('build')")
    subprocess.run([sys.executable, '-c', code],
                   cwd=source,
                   check=True,
                   capture_output=True)
    with ZipFile(next(source.parent.glob('*.whl'))) as archive:
        yield archive


def test_wheel_holds_what_mim_looks_for(wheel):
    names = wheel.namelist()
    for folder in ('configs', 'tools'):
        for path in (ROOT / folder).rglob('*'):
            if path.suffix in ('.py', '.sh', '.yml'):
                assert f'mmregioncl/.mim/{path.relative_to(ROOT)}' in names
    index = wheel.read('mmregioncl/.mim/model-index.yml').decode()
    for path in METAFILES:
        assert f'- {path}\n' in index
        assert f'mmregioncl/.mim/{path}' in names


@pytest.mark.parametrize('path', METAFILES)
def test_metafiles_are_written(path, wheel):
    """Into a wheel and, for an editable install, beside the configs."""
    metafile = runpy.run_path(str(ROOT / 'setup.py'))['metafile']
    held = json.loads(wheel.read(f'mmregioncl/.mim/{path}'))
    assert held == metafile(Path(path).parent.name)
    source = Path(wheel.filename).parent / 'source'
    assert json.loads((source / path).read_text()) == held


def test_wheel_holds_every_module_and_no_more(wheel):
    modules = {
        str(path.relative_to(ROOT))
        for path in (ROOT / 'mmregioncl').rglob('*')
        if path.suffix in ('.py', '.txt', '.html', '.typed')
    }
    held = {
        name
        for name in wheel.namelist() if not name.startswith('mmregioncl/.mim/')
    }
    assert {name for name in held if '.dist-info/' not in name} == modules


def test_version_is_stated_once():
    from importlib.metadata import version

    import mmregioncl
    assert version('mmregioncl') == mmregioncl.__version__
    citation = (ROOT / 'CITATION.cff').read_text()
    assert f'\nversion: {mmregioncl.__version__}\n' in citation


def test_versions_are_those_of_the_requirements():
    import re

    import mmregioncl
    requirements = ROOT / 'requirements'
    runtime = (requirements / 'runtime.txt').read_text()
    for name, stack in mmregioncl.STACKS.items():
        text = runtime + (requirements / f'{name}.txt').read_text()
        for windows in stack:
            package, window = next(iter(windows.items()))
            stated = re.search(rf'^{package}>=(.*),<(.*)$', text, re.M)
            assert stated.groups() == window, package


@pytest.mark.parametrize('name, version, message', [
    pytest.param(
        'mmselfsup',
        '0.7.1',
        'mmselfsup>=1.0.0,<1.1, but 0.7.1 is installed',
        marks=pytest.mark.mmselfsup),
    ('torch', '2.5.1+cpu', r'torch>=2.6,<3, but 2.5.1\+cpu is installed'),
    pytest.param(
        'mmcls',
        None,
        "which is not installed: pip install 'mmcls>=",
        marks=pytest.mark.mmselfsup),
])
def test_wrong_stack_is_refused(name, version, message, monkeypatch):
    from importlib import metadata

    import mmregioncl
    real = metadata.version

    def version_of(package):
        if package != name:
            return real(package)
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, 'version', version_of)
    with pytest.raises(ImportError, match=message):
        mmregioncl._check_stack()
