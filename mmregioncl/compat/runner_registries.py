"""A Runner in scope mmselfsup dies: no module ``mmselfsup.engine.runner``.

The wheel of mmselfsup 1.0.0 names that module as the location of three
registries without containing it (fixed upstream after the release).
"""
from pathlib import Path

import mmselfsup
from mmselfsup import registry

MISSING = 'mmselfsup.engine.runner'


def mend() -> None:
    engine = Path(mmselfsup.__file__).parent / 'engine'
    if any(engine.glob('runner*')):
        return
    for root in (registry.RUNNERS, registry.RUNNER_CONSTRUCTORS,
                 registry.LOOPS):
        root._locations = [
            'mmselfsup.engine' if location == MISSING else location
            for location in root._locations
        ]
