"""Lines of other packages that ask nothing of a user.

Each is named by how it begins, and why it needs no attention. All others are
shown.
"""
import logging
import os
import re
import warnings

PYTHON = (
    # check_workers says so once, of all data sets.
    'This DataLoader will create',
    # Batches are copied from ordinary memory, which a CPU reads anyway.
    "'pin_memory' argument is set as true but no accelerator is found",
    # With accumulation or a loss scale, the first batches make no update.
    # MMEngine's schedules count batches all the same.
    'Detected call of `scheduler.step()` before `optimizer.step()`',
    # LoadImage drops alpha, as documented.
    'Palette images with Transparency expressed in bytes should be converted',
    # Once for each image that MMPretrain's ColorJitter changes
    "Only use 'alpha' for pillow backend",
    # Of requests, which only downloads
    'urllib3 (',
    # How mmcv's Hsigmoid was before 2022
    'In MMCV v1.4.4',
    # MMSegmentation calls it itself.
    '``build_loss`` would be deprecated soon',
    # How its published recipes average their losses
    'Default ``avg_non_ignore`` is False',
    # Nor does a recipe ask for pictures.
    'The draw is False',
    # onedl-mmdetection says so of a metric that no recipe has.
    'faster_coco_eval is not installed',
)
LOGGED = (
    # CheckpointHook and LoggerHook of MMEngine call it themselves.
    r'"FileClient" will be deprecated in future',
    r'"HardDiskBackend" is the alias of "LocalBackend"',
    # Moving averages and frozen stages, of which an optimizer takes none
    r'\S+ is skipped since its requires_grad=False$',
    # A line for each weight of a setting in paramwise_cfg, which has it
    'paramwise_options -- ',
    # Said of Swin before PretrainedHook loads its weights
    r'No pre-trained weights for \w+, training start from scratch$',
    # Metrics keep the names of their package.
    'The prefix is not set in metric class',
)


def hide_needless_warnings() -> None:
    """Hide those of Python's ``warnings``, also in processes started later."""
    for text in PYTHON:
        warnings.filterwarnings('ignore', re.escape(text))
    given = os.environ.get('PYTHONWARNINGS', '').split(',')
    wanted = [*given, *(f'ignore:{text}' for text in PYTHON)]
    os.environ['PYTHONWARNINGS'] = ','.join(
        filter(None, dict.fromkeys(wanted)))


def hide_needless_lines(logger: logging.Logger) -> None:
    """Hide those that MMEngine and its kin write to a log."""
    logger.addFilter(lambda record: not any(
        re.match(text, record.getMessage()) for text in LOGGED))
