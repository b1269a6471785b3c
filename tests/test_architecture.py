"""No import of the package runs upwards.

``python tests/test_architecture.py`` prints what each folder imports.
"""
import ast
import os
from pathlib import Path
from typing import Dict, Set

PACKAGE = Path(__file__).parents[1] / 'mmregioncl'
# From the bottom to the top; a folder imports from lower layers only.
LAYERS = (
    ('version', 'files', 'validation', 'randomness', 'causes', 'host'),
    ('registry', ),
    ('compat', ),
    ('models', 'datasets'),
    ('transfer', 'fast_transforms'),
    ('evaluation', ),
    ('engine', ),
    ('hooks', ),
    ('visualization', 'dry_run'),
)


def imports_of(path: Path) -> Set[str]:
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
    imports: Dict[str, Set[str]] = {}
    for path in PACKAGE.rglob('*.py'):
        package = path.relative_to(PACKAGE).parts[0].removesuffix('.py')
        if package != '__init__':  # applies the patches, above all layers
            imports.setdefault(package,
                               set()).update(imports_of(path) - {package})
    return imports


def test_no_import_runs_upwards():
    level = {name: n for n, names in enumerate(LAYERS) for name in names}
    imports = graph()
    assert imports.keys() <= level.keys()
    assert [(name, other) for name, others in imports.items()
            for other in others & level.keys()
            if level[other] >= level[name]] == []


def test_layers_are_documented():
    """docs/architecture.md lists them, from the top to the bottom."""
    page = (PACKAGE.parent / 'docs' / 'architecture.md').read_text()
    assert '\n'.join(', '.join(names) for names in reversed(LAYERS)) in page


def test_commands_can_be_executed():
    scripts = [*(PACKAGE.parent / 'tools').rglob('*.sh')]
    sourced = [path.name for path in scripts if not os.access(path, os.X_OK)]
    assert len(scripts) > 10 and sourced == ['learning.sh']


if __name__ == '__main__':
    for names in reversed(LAYERS):
        for name in names:
            print(f'{name:15} {", ".join(sorted(graph().get(name, ())))}')
