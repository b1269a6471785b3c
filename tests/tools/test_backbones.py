"""The table of backbones in docs/backbones.md, row by row."""
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'benchmarks' / 'backbones.py'
PAGE = (ROOT / 'docs' / 'backbones.md').read_text()


@pytest.fixture(scope='module')
def tool() -> dict:
    return runpy.run_path(str(TOOL))


TABLE = PAGE.partition('<!-- Printed by')[2].splitlines()
NAMES = [
    line.split(' | ')[0].removeprefix('| ') for line in TABLE[4:]
    if line.startswith('| ')
]


def test_page_has_all_rows(tool):
    assert NAMES == list(tool['ROWS'])


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_row_of_the_table(tool, name):
    """Pre-trained, extracted, fine-tuned and converted, as the page says."""
    row, sentences = tool['lines_of'](name, tool['check'](tool['ROWS'][name]))
    for line in (row, *sentences):
        assert line in PAGE
