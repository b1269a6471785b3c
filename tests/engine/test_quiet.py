import logging
import os
import subprocess
import sys
import warnings

import pytest

from mmregioncl.engine.quiet import (LOGGED, PYTHON, hide_needless_lines,
                                     hide_needless_warnings)

OTHER = 'the disk is nearly full'


@pytest.fixture
def hidden(monkeypatch):
    """The warnings are hidden until the end of the test."""
    monkeypatch.setenv('PYTHONWARNINGS', 'ignore:mine')
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        hide_needless_warnings()
        hide_needless_warnings()  # the demo and its evaluation do
        yield


def test_needless_warnings_are_hidden_and_no_others(hidden):
    with warnings.catch_warnings(record=True) as shown:
        for text in (*PYTHON, OTHER):
            warnings.warn(f'{text}, and more')
            warnings.warn(f'of {text}')
    assert [str(warning.message) for warning in shown] == [
        *(f'of {text}' for text in PYTHON), f'{OTHER}, and more', f'of {OTHER}'
    ]


def test_processes_started_later_hide_them_too(hidden):
    """As workers with the start method spawn, which inherit no filters."""
    assert os.environ['PYTHONWARNINGS'].startswith('ignore:mine,ignore:')
    code = 'import warnings\nfor text in {}: warnings.warn(text)'
    texts = ['mine', *PYTHON, OTHER]
    done = subprocess.run(
        [sys.executable, '-c', code.format(texts)],
        capture_output=True,
        text=True)
    assert done.stderr.count('UserWarning') == 1
    assert OTHER in done.stderr


def test_needless_lines_are_hidden_and_no_others(caplog):
    logger = logging.getLogger('quiet')
    hide_needless_lines(logger)
    lines = [
        '"FileClient" will be deprecated in future. Please use io functions',
        '"HardDiskBackend" is the alias of "LocalBackend" and the former',
        'target_net.module.0.conv1.weight is skipped since its '
        'requires_grad=False'
    ]
    assert len(lines) == len(LOGGED)
    kept = [OTHER, *(f'of {line}' for line in lines)]
    for line in (*lines, *kept):
        logger.warning(line)
    assert caplog.messages == kept
