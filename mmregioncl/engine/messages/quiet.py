"""Hide messages of other packages that users can ignore.

Each message is listed by its beginning, with the reason. All other messages
are shown.
"""
import logging
import os
import re
import sys
import warnings
from functools import partial
from typing import Sequence

from mmengine.logging import MMLogger
from mmengine.runner import Runner

PYTHON = (
    # check_workers warns once for all data sets.
    'This DataLoader will create',
    # A CPU reads ordinary memory anyway.
    "'pin_memory' argument is set as true but no accelerator is found",
    # With accumulation or a loss scale, the first batches make no update.
    # MMEngine's schedulers count batches anyway.
    'Detected call of `scheduler.step()` before `optimizer.step()`',
    # What MMEngine chooses on several processes is right here.
    'Setting OMP_NUM_THREADS environment variable',
    'Setting MKL_NUM_THREADS environment variable',
    # MMEngine passes it itself.
    '`broadcast_buffers` is deprecated',
    # LoadImage drops alpha, as documented.
    'Palette images with Transparency expressed in bytes should be converted',
    # Once for each image that MMPretrain's ColorJitter changes
    "Only use 'alpha' for pillow backend",
    # From requests, which is used only for downloads
    'urllib3 (',
    # What joblib removes when a parallel evaluation is stopped
    'resource_tracker',
    # A change of mmcv's Hsigmoid in 2022
    'In MMCV v1.4.4',
    # MMSegmentation calls it itself.
    '``build_loss`` would be deprecated soon',
    # The published recipes of MMSegmentation average their losses like this.
    'Default ``avg_non_ignore`` is False',
    # The recipes draw no pictures.
    'The draw is False',
    # From onedl-mmdetection, for a metric that no recipe has
    'faster_coco_eval is not installed',
)
LOGGED = (
    # CheckpointHook and LoggerHook of MMEngine call it themselves.
    r'"FileClient" will be deprecated in future',
    r'"HardDiskBackend" is the alias of "LocalBackend"',
    # Followed by what was loaded
    r'Loads checkpoint by \w+ backend from path: ',
    # Optimizers skip moving averages and frozen stages.
    r'\S+ is skipped since its requires_grad=False$',
    # A line for each weight with a setting in paramwise_cfg
    'paramwise_options -- ',
    # PretrainedHook loads the weights of Swin later.
    r'No pre-trained weights for \w+, training start from scratch$',
    # Metrics keep the names of their package.
    'The prefix is not set in metric class',
    # What randomness.deterministic asks for
    r'torch\.backends\.cudnn\.benchmark is going to be set as `False`',
)
FILE_ONLY = (  # hundreds of lines before the first that says what runs
    r'\n-+\nSystem environment:',
    r'Config:\n',
    r'Hooks will be executed in the following order:\n',
    r'Distributed training is not used, ',
    # With each checkpoint and every 1000 steps
    r'Exp name: ',
)


def hide_needless_warnings() -> None:
    """Hide Python warnings, also in processes that start later."""
    for text in PYTHON:
        warnings.filterwarnings('ignore', re.escape(text))
    given = os.environ.get('PYTHONWARNINGS', '').split(',')
    wanted = [*given, *(f'ignore:{text}' for text in PYTHON)]
    os.environ['PYTHONWARNINGS'] = ','.join(
        filter(None, dict.fromkeys(wanted)))


def hide_needless_lines(logger: logging.Logger) -> None:
    """Hide messages of OpenMMLab packages, and warn once about a full disk.

    Some are kept in the log file, and hidden only on the terminal.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handleError = partial(warn_of_log, handler)
        else:
            handler.addFilter(lambda record: not begins(record, FILE_ONLY))
    logger.addFilter(lambda record: not begins(record, LOGGED))


def begins(record: logging.LogRecord, texts: Sequence[str]) -> bool:
    """Whether a message begins with one of some regular expressions."""
    return any(re.match(text, record.getMessage()) for text in texts)


class QuietRunner(Runner):
    """``Runner`` of a tool, which hides needless lines from its first on."""

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Build the logger, before the environment is logged."""
        logger = super().build_logger(*args, **kwargs)
        hide_needless_lines(logger)
        return logger


def warn_of_log(handler: logging.FileHandler, record) -> None:
    """Warn that a log cannot be written to; Python would at every line."""
    error = sys.exc_info()[1]
    if not isinstance(error, OSError):  # a mistake in the call
        return logging.Handler.handleError(handler, record)
    handler.handleError = lambda record: None
    return print(
        f'cannot write to {handler.baseFilename} ({error}): make room; the run'
        ' continues without a log file',
        file=sys.stderr)
