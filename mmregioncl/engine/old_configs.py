"""Configs of earlier versions, of the host and of this package."""
import logging
import re
from typing import Any, Set

from mmengine.config import Config
from mmengine.logging import print_log

from .launch import is_main_process

# Settings of MMSelfSup 0.x and its contemporaries, and those of today
OLD_SETTINGS = dict(
    data='train_dataloader, val_dataloader and test_dataloader',
    optimizer='optim_wrapper.optimizer',
    optimizer_config='optim_wrapper',
    fp16='optim_wrapper.type',
    lr_config='param_scheduler',
    momentum_config='param_scheduler',
    runner='train_cfg',
    total_epochs='train_cfg.max_epochs',
    total_iters='train_cfg.max_iters',
    workflow='train_cfg.val_interval',
    evaluation='val_cfg and val_evaluator',
    checkpoint_config='default_hooks.checkpoint',
    log_config='default_hooks.logger and visualizer',
    resume_from='load_from and resume',
    seed='randomness.seed',
    deterministic='randomness.deterministic',
    persistent_workers='train_dataloader.persistent_workers',
    preprocess_cfg='data_preprocessor',
    dist_params='env_cfg.dist_cfg',
    cudnn_benchmark='env_cfg.cudnn_benchmark',
    opencv_num_threads='env_cfg.mp_cfg',
    mp_start_method='env_cfg.mp_cfg')

# What a run cannot do without
ESSENTIAL = {
    'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg'
}


def check_old(cfg: Config) -> None:
    """Refuse a config of MMSelfSup 0.x, and warn about settings of its time.

    The hosts' own configs have some left over. MMEngine ignores them all.

    Raises:
        ValueError: If there is such a setting in the place of one that a run
            needs.
    """
    given = {name for name in OLD_SETTINGS if cfg.get(name) is not None}
    needed = {
        name
        for name in given
        if re.match(r'\w+', OLD_SETTINGS[name])[0] in ESSENTIAL - cfg.keys()
    }
    if needed:
        raise ValueError(
            f'{cfg.filename} is a config of MMSelfSup 0.x, MMClassification '
            f'0.x or MMDetection 2.x: translate {translations(given)}')
    # Configs of today may use these names for variables, and an optimizer may
    # be one of a base that was not used in the end.
    rest = [cfg[name] for name in cfg if name not in given]
    unused = {name for name in given if not appears(cfg[name], rest)}
    unused.discard('optimizer')
    if unused and is_main_process():
        print_log(
            f'{cfg.filename} has settings of MMSelfSup 0.x, which have no '
            f'effect: translate {translations(unused)}', 'current',
            logging.WARNING)


def translations(names: Set[str]) -> str:
    """Say which settings of today replace old ones."""
    return '; '.join(f'{name} to {new}' for name, new in OLD_SETTINGS.items()
                     if name in names)


def appears(value: Any, part: Any) -> bool:
    """Whether a value is a part of nested dicts and lists."""
    if isinstance(part, dict):
        part = list(part.values())
    return part == value or isinstance(part, (list, tuple)) and any(
        appears(value, inner) for inner in part)


def check_removed(cfg: Config) -> None:
    """Refuse settings of earlier versions that have no effect any more.

    Raises:
        ValueError: If there is one.
    """
    if 'fast_transforms' in cfg:
        raise ValueError(
            f'{cfg.filename} sets fast_transforms, which is gone: remove it, '
            "and add custom_imports = dict(imports=['mmregioncl."
            "fast_transforms']) to a config of mmselfsup")
    if 'shuffle_bn' in cfg.model:
        raise ValueError(f'{cfg.filename} sets model.shuffle_bn, which is '
                         'gone: remove it, key images are always exchanged')
