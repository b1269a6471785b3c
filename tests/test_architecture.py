"""Data flows one way through the package: no import runs upwards.

``python tests/test_architecture.py`` prints what each folder imports.
"""
import ast
from pathlib import Path
from typing import Dict, Set

PACKAGE = Path(__file__).parents[1] / 'mmregioncl'
# From the bottom to the top; a folder imports from lower floors only.
FLOORS = (
    ('version', 'files', 'validation', 'registry'),
    ('compat', ),
    ('models', 'datasets'),
    ('transfer', 'fast_transforms'),
    ('evaluation', ),
    ('engine', ),
    ('hooks', ),
    ('visualization', ),
)


def rooms_of(path: Path) -> Set[str]:
    """Top-level folders and modules of the package that a file imports."""
    parts = ('mmregioncl', *path.relative_to(PACKAGE).parent.parts)
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or '').split('.')
            if node.level:
                module = [*parts[:len(parts) - node.level + 1], *module]
            names |= {
                '.'.join(filter(None, (*module, alias.name)))
                for alias in node.names
            }
    return {
        name.split('.')[1]
        for name in names if name.startswith('mmregioncl.')
    }


def graph() -> Dict[str, Set[str]]:
    """What each folder of the package imports of the others."""
    arrows: Dict[str, Set[str]] = {}
    for path in PACKAGE.rglob('*.py'):
        room = path.relative_to(PACKAGE).parts[0].removesuffix('.py')
        if room != '__init__':  # which applies the patches, and is above all
            arrows.setdefault(room, set()).update(rooms_of(path) - {room})
    return arrows


def test_no_import_runs_upwards():
    floor = {room: n for n, floor in enumerate(FLOORS) for room in floor}
    arrows = graph()
    assert arrows.keys() <= floor.keys()
    assert [(room, other) for room, others in arrows.items()
            for other in others & floor.keys()
            if floor[other] >= floor[room]] == []


if __name__ == '__main__':
    for rooms in reversed(FLOORS):
        for room in rooms:
            print(f'{room:15} {", ".join(sorted(graph().get(room, ())))}')
