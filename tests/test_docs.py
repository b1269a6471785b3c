"""What the documentation says of files, anchors, code, hooks and errors."""
import ast
import re
import textwrap
from functools import lru_cache
from pathlib import Path
from typing import Iterator, Set, Tuple

import pytest
import torch
from mmengine.config import Config

from mmregioncl import host
from mmregioncl.models import heads
from mmregioncl.registry import MODELS
from toy import MODEL, NON_LINEAR

OTHER, = host.SCOPES.keys() - {host.NAME}
ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'mmregioncl'
PAGES = [
    path for path in ROOT.rglob('*.md')
    if not any(part.startswith('.') for part in path.relative_to(ROOT).parts)
    and 'work_dirs' not in path.parts
]


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r'^ *```.*?^ *```', '', page.read_text(), flags=re.M | re.S)


def anchor(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    text = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', heading)  # of a link
    return re.sub(r'[^\w\- ]', '', text.strip().lower()).replace(' ', '-')


@lru_cache(maxsize=None)
def anchors(page: Path) -> Set[str]:
    """All anchors of a page; of equal headings, later ones are numbered."""
    found = []
    for heading in re.findall(r'^#+ (.+)$', prose(page), re.M):
        name = anchor(heading)
        number = sum(re.sub(r'-\d+$', '', one) == name for one in found)
        found.append(f'{name}-{number}' if number else name)
    return set(found)


@pytest.mark.parametrize(
    'page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_exist(page):
    for link in re.findall(r'\]\((?!http)([^)]+)\)', prose(page)):
        path, _, name = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not name or name in anchors(target), link


@pytest.mark.parametrize(
    'page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_of_a_page_is_valid(page, tmp_path):
    """Blocks compile, and configs load from the root of the repository."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    blocks = re.findall(r'^ *```python\n(.*?)^ *```', page.read_text(),
                        re.M | re.S)
    for number, block in enumerate(blocks):
        code = textwrap.dedent(block)
        compile(code, f'{page}:{number}', 'exec')
        if code.startswith('_base_ = ') and f"'{OTHER}::" not in code:
            config = tmp_path / f'{number}.py'
            config.write_text(code)
            assert Config.fromfile(config).model


@pytest.mark.mmselfsup
@pytest.mark.parametrize('count, share', [(8, None), (7, None), (8, 0.5)])
def test_example_of_a_method_trains(count, share, monkeypatch):
    """Also on odd batches, and on images that are shown whole."""
    monkeypatch.setattr(MODELS, '_module_dict', dict(MODELS._module_dict))
    page = (ROOT / 'docs' / 'architecture.md').read_text()
    for part, kind in (('heads', 'RegionCrossCorrelationHead'),
                       ('algorithms', 'RegionCLBarlowTwins')):
        block, = re.findall(rf'```python\n((?:(?!```).)*?class {kind}.*?)```',
                            page, re.S)
        package = f'mmregioncl.models.{part}'
        exec(block, dict(__name__=f'{package}.new', __package__=package))
        monkeypatch.setattr(heads, kind, MODELS.get(kind), raising=False)
    model = MODELS.build(
        dict(
            type='RegionCLBarlowTwins',
            backbone=MODEL['backbone'],
            neck=dict(NON_LINEAR, type='NonLinearNeck'),
            head=dict(
                type='LatentCrossCorrelationHead',
                in_channels=16,
                loss=dict(type='CrossCorrelationLoss')),
            region_share=share))
    losses = model.loss([torch.randn(count, 3, 32, 32) for _ in range(2)])
    assert sum(losses.values()).isfinite()


@pytest.mark.parametrize('folder', ['regioncl', 'benchmarks'])
def test_every_config_is_in_its_table(folder):
    folder = ROOT / 'configs' / folder
    table = (folder / 'README.md').read_text()
    for config in folder.rglob('*.py'):
        if '_base_' not in config.parts:
            assert f'({config.relative_to(folder)})' in table, config.name


def test_every_folder_stands_once_on_the_map():
    page = (ROOT / 'docs' / 'architecture.md').read_text()
    map_of = page.split('\n## Map\n')[1].split('\n## ')[0]
    rows = [row.split('|')[1] for row in map_of.splitlines() if '](' in row]
    assert len(rows) == len({*rows})
    package = ROOT / 'mmregioncl'
    wanted = {
        str(path.relative_to(package))
        for pattern in ('*.py', '*/__init__.py', 'models/*/__init__.py',
                        'engine/*.py', 'engine/[cm]*/[!_]*.py')
        for path in package.glob(pattern)
    }
    linked = {*re.findall(r'\(../mmregioncl/(\S+)\)', map_of)}
    assert wanted - linked == {'models/__init__.py', 'version.py'}


def test_every_promise_names_what_shows_it():
    page = (ROOT / 'docs' / 'reliability.md').read_text()
    tables = re.findall(r'shown by \|\n\|[-|]+\n((?:\|.*\n)+)', page)
    rows = ''.join(tables).splitlines()
    assert len(tables) == 4 and len(rows) > 20
    for row in rows:
        shown = row.split(' | ')[-1]
        assert shown.startswith('the same') or re.search(
            r'\.\./(tests|benchmarks)/\S+\)', shown), row


def test_readme_is_short():
    text = (ROOT / 'README.md').read_text()
    assert len(text.splitlines()) <= 120
    assert len(text.split()) <= 900


def test_readme_leads_to_every_page():
    readme = (ROOT / 'README.md').read_text()
    for page in (ROOT / 'docs').glob('*.md'):
        assert f'(docs/{page.name}' in readme


def test_results_of_the_readme_are_measurements():
    """Its table is one of the page that has them all."""
    readme, page = ((ROOT / path).read_text()
                    for path in ('README.md', 'docs/measurements.md'))
    lines = readme.partition('## Results')[2].splitlines()
    table = [line for line in lines if line.startswith('|')]
    assert len(table) == 7 and '\n'.join(table) in page


def registered_hooks() -> Iterator[ast.ClassDef]:
    for path in sorted((PACKAGE / 'hooks').glob('*.py')):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and any(
                    'HOOKS' in ast.unparse(mark)
                    for mark in node.decorator_list):
                yield node


@pytest.mark.parametrize(
    'hook', list(registered_hooks()), ids=lambda hook: hook.name)
def test_catalogue_has_every_argument_of_a_hook(hook):
    text = (ROOT / 'docs' / 'hooks.md').read_text()
    section = re.search(rf'^### {hook.name}\n(.*?)(?=^##|\Z)', text,
                        re.M | re.S)
    assert section
    for function in hook.body:
        if getattr(function, 'name', '') == '__init__':
            given = function.args
            for argument, default in zip(given.args[::-1],
                                         given.defaults[::-1]):
                value = ast.unparse(default)
                assert f'| `{argument.arg}` | {value} |' in section[1]


def template(node: ast.AST) -> str:
    """What is constant in a message; the rest is an ellipsis."""
    if isinstance(node, ast.JoinedStr):
        return ''.join(map(template, node.values))
    if isinstance(node, ast.BinOp):
        return template(node.left) + template(node.right)
    if isinstance(node, ast.Constant):
        return str(node.value)
    return '…'


def messages() -> Iterator[Tuple[str, str]]:
    """The place of each error and warning, and the start of its text."""
    for path in sorted(PACKAGE.rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            call = node.exc if isinstance(node, ast.Raise) else node
            if isinstance(node, ast.Return) and path.stem == 'mistakes':
                text = template(node.value)  # a sentence
            elif not isinstance(call, ast.Call) or not call.args or \
                    call is node and not re.search(
                        r'^\S+\.warning\(|^print_log\(.*WARNING',
                        ast.unparse(call), re.S):
                continue
            else:
                text = template(call.args[0])
            head = text.split(': ')[0]
            text = head if len(re.findall('[a-z]', head)) > 12 else text
            text = re.sub('…+', '…', text)
            if len(re.findall('[a-z]', text)) > 5:  # more than a name
                yield f'{path.relative_to(ROOT)}:{node.lineno}', text.strip()


def test_every_message_is_explained():
    """docs/troubleshooting.md has each message up to its first colon."""
    page = ROOT / 'docs' / 'troubleshooting.md'
    text = ' '.join(page.read_text().split())
    found = list(messages())
    assert len(found) > 100
    assert not [
        f'{place} {message}'
        for place, message in found if ' '.join(message.split()) not in text
    ]


def test_every_explanation_is_of_a_message():
    """The words between the values of each are in the code."""
    errors = (ROOT / 'docs' /
              'troubleshooting.md').read_text().split('\n## Errors\n')[1]
    code = ' '.join(
        ' '.join(template(node).split())
        for folder in (PACKAGE, ROOT / 'tools')
        for path in folder.rglob('*.py')
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.JoinedStr, ast.BinOp, ast.Constant)))
    rows = re.findall(r'^\| (`.+?) \| ', errors, re.M)
    assert len(rows) > 100
    assert not [
        f'{row}: {words.strip()}' for row in rows
        for message in re.findall('`([^`]+)`', row)
        for words in message.split('…')
        if len(words) > 12 and words.strip() not in code
    ]
