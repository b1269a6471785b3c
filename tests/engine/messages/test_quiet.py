import logging
import logging.handlers
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from unittest.mock import Mock

import mmcv
import numpy as np
import pytest
import torch
from mmengine.evaluator import DumpResults
from mmengine.fileio import FileClient
from mmengine.logging import MMLogger, print_log
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner, load_checkpoint
from mmengine.visualization import Visualizer
from mmseg.engine import SegVisualizationHook
from mmseg.models import build_loss
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from mmregioncl.engine.messages import start_tool
from mmregioncl.engine.messages.quiet import (FILE_ONLY, LOGGED, PYTHON,
                                              QuietRunner, hide_needless_lines,
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


def test_needless_lines_are_hidden_and_no_others(monkeypatch, tmp_path):
    """Those that other packages write themselves."""
    logger = MMLogger.get_instance('quiet')
    logger.handlers = [handler := logging.handlers.BufferingHandler(99)]
    model = nn.Linear(2, 2)
    model.weight.requires_grad_(False)
    weights = tmp_path / 'weights.pth'
    torch.save(model.state_dict(), weights)
    settings = dict(
        optimizer=dict(type='SGD', lr=0.1, weight_decay=0.1),
        paramwise_cfg=dict(bias_decay_mult=0.))
    swin = MODELS.build(
        dict(
            type='mmdet.SwinTransformer',
            embed_dims=4,
            depths=[1],
            num_heads=[1],
            strides=[4],
            out_indices=[0]))
    for expected in (set(LOGGED), set()):
        handler.buffer.clear()
        monkeypatch.setattr(FileClient, '_instances', {})  # as in a new run
        FileClient.infer_client(uri='here')
        build_optim_wrapper(nn.Sequential(model), settings)
        DumpResults('results.pkl')
        monkeypatch.setattr(torch.backends.cudnn, 'benchmark', True)
        Runner.set_randomness(Mock(), seed=0, deterministic=True)
        torch.use_deterministic_algorithms(False)
        monkeypatch.setattr(torch.backends.cudnn, 'deterministic', False)
        swin.init_weights()
        load_checkpoint(model, str(weights), logger=logger)
        lines = [record.getMessage() for record in handler.buffer]
        found = {
            text
            for text in LOGGED
            for line in lines if re.match(text, line)
        }
        assert found == expected
        hide_needless_lines(logger)
    kept = [OTHER, *(f'of {line}' for line in LOGGED)]
    for line in kept:
        logger.warning(line)
    assert [record.getMessage()
            for record in handler.buffer][-len(kept):] == kept


@pytest.mark.parametrize('kind, shown', [(Runner, True), (QuietRunner, False)])
def test_what_only_the_log_file_needs(runner_cfg, capfd, kind, shown):
    """A Runner in a script of a user shows all of it."""
    runner_cfg.log_level = 'INFO'
    runner_cfg.default_hooks.logger = dict(type='LoggerHook', interval=1)
    runner_cfg.train_cfg.max_epochs = 1
    runner = kind.from_cfg(runner_cfg)
    runner.train()
    log = Path(runner.log_dir) / f'{runner.timestamp}.log'
    terminal, kept = capfd.readouterr().out, log.read_text()
    for text in FILE_ONLY:
        assert re.search(f' - {text}', kept)
        assert bool(re.search(f' - {text}', terminal)) == shown
    assert 'Epoch(train)' in terminal and 'Epoch(train)' in kept


def test_a_tool_hides_lines_before_its_run_has_a_log(hidden, monkeypatch,
                                                     capfd):
    monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
    monkeypatch.setattr(MMLogger, '_instance_dict', {})
    start_tool()
    print_log('paramwise_options -- a', 'current', logging.WARNING)
    print_log(OTHER, 'current', logging.WARNING)
    text = ''.join(capfd.readouterr())
    assert OTHER in text and 'paramwise' not in text


def test_warnings_of_the_installed_packages(hidden):
    """The text of the list is the one that they use."""
    with warnings.catch_warnings(record=True) as shown:
        list(DataLoader([1], pin_memory=True))
        DataLoader([1], num_workers=999)
        image = Image.new('P', (2, 2))
        image.info['transparency'] = bytes(4)
        image.convert('RGB')
        mmcv.adjust_color(np.zeros((1, 1, 3), np.uint8), backend='pillow')
        build_loss(dict(type='CrossEntropyLoss'))
        Visualizer.get_instance('quiet')
        SegVisualizationHook()
    assert not shown


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='of Linux')
def test_a_full_disk_is_told_once(capsys):
    logger = logging.Logger('full')
    logger.addHandler(logging.FileHandler('/dev/full'))
    hide_needless_lines(logger)
    for _ in range(3):
        logger.info('a line')
    assert capsys.readouterr().err == (
        'cannot write to /dev/full ([Errno 28] No space left on device): make '
        'room; the run continues without a log file\n')
    logger.handlers[0].stream = None  # it cannot be closed
