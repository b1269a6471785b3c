import logging
import logging.handlers
import os
import subprocess
import sys
import warnings

import mmcv
import numpy as np
import pytest
from mmengine.fileio import FileClient
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

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


def test_needless_lines_are_hidden_and_no_others(monkeypatch):
    """Those that MMEngine writes itself."""
    logger = MMLogger.get_instance('quiet')
    logger.handlers = [handler := logging.handlers.BufferingHandler(99)]
    model = nn.Linear(2, 2)
    model.weight.requires_grad_(False)
    settings = dict(
        optimizer=dict(type='SGD', lr=0.1, weight_decay=0.1),
        paramwise_cfg=dict(bias_decay_mult=0.))
    for expected in (3, 0):
        handler.buffer.clear()
        monkeypatch.setattr(FileClient, '_instances', {})  # as in a new run
        FileClient.infer_client(uri='here')
        build_optim_wrapper(nn.Sequential(model), settings)
        lines = [
            record.getMessage() for record in handler.buffer
            if record.levelno == logging.WARNING
        ]
        assert len(lines) == expected == (len(LOGGED) if lines else 0)
        hide_needless_lines(logger)
    kept = [OTHER, *(f'of {line}' for line in LOGGED)]
    for line in kept:
        logger.warning(line)
    assert [record.getMessage() for record in handler.buffer][-4:] == kept


def test_warnings_of_the_installed_packages(hidden):
    """The text of the list is the one that they use."""
    with warnings.catch_warnings(record=True) as shown:
        list(DataLoader([1], pin_memory=True))
        DataLoader([1], num_workers=999)
        image = Image.new('P', (2, 2))
        image.info['transparency'] = bytes(4)
        image.convert('RGB')
        mmcv.adjust_color(np.zeros((1, 1, 3), np.uint8), backend='pillow')
    assert not shown
