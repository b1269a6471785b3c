"""A Runner in scope mmselfsup fails: no module ``mmselfsup.engine.runner``.

Three registries of mmselfsup 1.0.0 name this module as their location, and its
wheel does not contain it (fixed upstream after the release).
"""
from pathlib import Path

import mmselfsup
from mmselfsup import registry

MISSING = 'mmselfsup.engine.runner'


def patch() -> None:
    engine = Path(mmselfsup.__file__).parent / 'engine'
    if any(engine.glob('runner*')):
        return
    for root in (registry.RUNNERS, registry.RUNNER_CONSTRUCTORS,
                 registry.LOOPS):
        root._locations = [
            'mmselfsup.engine' if location == MISSING else location
            for location in root._locations
        ]
