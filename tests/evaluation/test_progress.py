import sys
from unittest.mock import Mock

import pytest

from mmregioncl.evaluation import progress as module
from mmregioncl.evaluation.progress import with_progress


@pytest.fixture
def told(monkeypatch):
    """Lines of a log, by a clock on which each item takes 61 seconds."""
    lines = []
    monkeypatch.setattr(module, 'print_log',
                        lambda line, logger: lines.append(line))
    # Each item asks when it begins, and again when it says so.
    clock = Mock(side_effect=[0, 0, 61, 61, 122, 122])
    monkeypatch.setattr(module.time, 'time', clock)
    return lines


@pytest.mark.parametrize('items, total', [('abc', None), (iter('abc'), 3)])
def test_a_line_a_minute_without_a_terminal(told, items, total):
    assert list(with_progress(items, 'boxes, batches',
                              total)) == ['a', 'b', 'c']
    assert told == [
        'boxes, batches: 1 of 3, 122 s left',
        'boxes, batches: 2 of 3, 61 s left'
    ]


def test_a_bar_on_a_terminal(told, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    monkeypatch.setattr(module.time, 'time', Mock(return_value=0))
    assert list(with_progress('abc', 'boxes')) == ['a', 'b', 'c']
    assert 'boxes: ' in capsys.readouterr().err
    assert not told


def test_the_first_process_speaks_for_all(told, monkeypatch):
    monkeypatch.setattr(module, 'is_main_process', lambda: False)
    assert list(with_progress('abc', 'boxes')) == ['a', 'b', 'c']
    assert not told
