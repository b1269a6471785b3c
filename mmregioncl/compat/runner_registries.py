"""A Runner in scope mmselfsup fails: no module ``mmselfsup.engine.runner``.

Three registries of mmselfsup 1.0.0 name this module as their location, and its
wheel does not contain it (fixed upstream after the release).
"""
from importlib import import_module
from pathlib import Path

from mmregioncl import host

MISSING = 'mmselfsup.engine.runner'


def patch() -> None:
    if host.NAME != 'mmselfsup':
        return
    registry = import_module('mmselfsup.registry')
    engine = Path(registry.__file__).parent / 'engine'
    if any(engine.glob('runner*')):
        return
    for root in (registry.RUNNERS, registry.RUNNER_CONSTRUCTORS,
                 registry.LOOPS):
        root._locations = [
            'mmselfsup.engine' if location == MISSING else location
            for location in root._locations
        ]
