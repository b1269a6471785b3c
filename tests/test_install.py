"""What a user installs: the wheel and what mim finds in it."""
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The names in a wheel built from a copy of the sources."""
    import subprocess
    folder = tmp_path_factory.mktemp('wheel')
    shutil.copytree(
        ROOT,
        folder / 'source',
        ignore=shutil.ignore_patterns('.*', 'build', 'work_dirs', 'data',
                                      'demo', '*.egg-info', '__pycache__'))
    subprocess.run([
        sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps',
        '--no-build-isolation', '-w', folder, folder / 'source'
    ],
                   check=True)
    with zipfile.ZipFile(next(folder.glob('*.whl'))) as archive:
        return set(archive.namelist())


def test_wheel_holds_what_mim_looks_for(wheel):
    for folder in ('configs', 'tools'):
        for path in (ROOT / folder).rglob('*'):
            if path.suffix in ('.py', '.sh', '.yml'):
                assert f'mmregioncl/.mim/{path.relative_to(ROOT)}' in wheel
    assert 'mmregioncl/.mim/model-index.yml' in wheel


def test_wheel_holds_every_module_and_no_more(wheel):
    modules = {
        str(path.relative_to(ROOT))
        for path in (ROOT / 'mmregioncl').rglob('*')
        if path.suffix in ('.py', '.txt', '.html')
    }
    held = {name for name in wheel if not name.startswith('mmregioncl/.mim/')}
    assert {name for name in held if '.dist-info/' not in name} == modules


def test_version_is_stated_once():
    from importlib.metadata import version

    import mmregioncl
    assert version('mmregioncl') == mmregioncl.__version__


def test_versions_are_those_of_the_requirements():
    import re

    import mmregioncl
    text = (ROOT / 'requirements' / 'runtime.txt').read_text()
    windows = dict(mmregioncl.STACK, **{'mmcv-lite': mmregioncl.MMCV})
    for name, (low, high) in windows.items():
        stated = re.search(rf'^{name}>=(.*),<(.*)$', text, re.M)
        assert stated.groups() == (low, high), name


@pytest.mark.parametrize('name, version, message', [
    ('mmselfsup', '0.7.1', 'mmselfsup>=1.0.0,<1.1, but 0.7.1 is installed'),
    ('torch', '2.5.1+cpu', r'torch>=2.6,<3, but 2.5.1\+cpu is installed'),
    ('mmcls', None, "which is not installed: pip install 'mmcls>="),
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
