import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    path for path in ROOT.rglob('*.md')
    if not any(part.startswith('.')
               for part in path.parts) and 'work_dirs' not in path.parts
]


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_of_a_page_exist(page):
    for link in re.findall(r'\]\((?!http)([^)#]+)', page.read_text()):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize('folder', ['regioncl', 'benchmarks'])
def test_every_config_is_in_its_table(folder):
    folder = ROOT / 'configs' / folder
    table = (folder / 'README.md').read_text()
    for config in folder.rglob('*.py'):
        if '_base_' not in config.parts:
            assert f'({config.relative_to(folder)})' in table, config.name
