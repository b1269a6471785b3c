"""Check the values of a config before anything is built from it."""
import inspect
import logging
from fnmatch import fnmatchcase
from functools import partial
from importlib.util import find_spec
from inspect import isclass
from multiprocessing import get_all_start_methods
from types import NoneType
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import LogProcessor, Runner, set_random_seed
from mmengine.runner.priority import Priority, get_priority
from mmengine.utils.dl_utils import set_multi_processing
from torch.distributed import init_process_group
from torch.utils.data import DataLoader

from mmregioncl import host
from mmregioncl.datasets.nested import dotted_items, type_name, typed_dicts
from mmregioncl.validation import (check_choice, check_flag, check_number,
                                   check_seed, check_whole_number,
                                   did_you_mean, listed)
from .read import other_host

# The argument with the momentum of the moving average, by method
AVERAGES = dict(
    BYOL='base_momentum',
    DenseCL='momentum',
    MoCo='momentum',
    MoCoV3='base_momentum')

# Default hooks of MMEngine, which may be None
MMENGINE_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger',
                  'param_scheduler', 'checkpoint')

# Arguments that settings cannot have, since MMEngine passes them
PASSED = ('self', 'model', 'optim_wrapper')
# Packages of MMEngine's visualization backends
BACKENDS = dict(
    AimVisBackend='aim',
    ClearMLVisBackend='clearml',
    DVCLiveVisBackend='dvclive',
    MLflowVisBackend='mlflow',
    NeptuneVisBackend='neptune',
    WandbVisBackend='wandb')

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# Whose arguments the settings of a part are
OWNERS = {
    **dict.fromkeys(LOADERS, DataLoader),
    'auto_scale_lr': Runner.scale_lr,
    'compile': torch.compile,
    'env_cfg.dist_cfg': init_process_group,
    'env_cfg.mp_cfg': set_multi_processing,
    'log_processor': LogProcessor,
    'randomness': set_random_seed,
}
# What MMEngine reads there itself
READ_BY_MMENGINE = {
    **dict.fromkeys(LOADERS, ('num_batch_per_epoch', )),
    'auto_scale_lr': ('base_batch_size', 'enable'),
    'env_cfg.dist_cfg': ('init_backend', 'port'),
    'log_processor': ('_scope_', 'type'),
}
COUNT = partial(check_whole_number, low=1)
LOADER_VALUES = dict(
    batch_size=COUNT,
    num_workers=partial(check_whole_number, low=0),
    prefetch_factor=COUNT,
    timeout=check_number)
# Text that is meant as True or False, and would count as True
FLAGS = ('true', 'false', 'yes', 'no', 'on', 'off')
# Those of optimizers' parameters
MULTIPLIERS = ('bias_decay', 'bias_lr', 'dcn_offset_lr', 'decay',
               'dwconv_decay', 'flat_decay', 'lr', 'norm_decay')


def check_template(name: str, value: Any, owner: str) -> None:
    """Reject a template by which all checkpoints have one name.

    Raises:
        ValueError: If it is one.
    """
    if '{}' not in str(value):
        raise ValueError(f'{name}={value!r} of {owner} has to contain {{}}, '
                         'the epoch or step')


def check_multiplier(name: str, value: Any, owner: str) -> None:
    """Reject a multiplier that is no number.

    Keys of ``custom_keys`` may have any name, and are dicts.

    Raises:
        ValueError: If it is one.
    """
    if not isinstance(value, dict):
        check_number(name, value, owner)


# Checks of values that MMEngine accepts, or rejects without their setting
VALUES = {
    'auto_scale_lr.base_batch_size': COUNT,
    'auto_scale_lr.enable': check_flag,
    'default_hooks.checkpoint.filename_tmpl': check_template,
    'env_cfg.cudnn_benchmark': check_flag,
    'env_cfg.mp_cfg.mp_start_method': partial(
        check_choice, choices=get_all_start_methods()),
    'launcher': partial(
        check_choice, choices=('none', 'pytorch', 'slurm', 'mpi')),
    'log_processor.window_size': COUNT,
    'optim_wrapper*.accumulative_counts': COUNT,
    'optim_wrapper*optimizer.lr': check_number,
    'optim_wrapper*optimizer.weight_decay': check_number,
    'param_scheduler*.T_max': partial(check_number, positive=True),
    'randomness.seed': check_seed,
    'resume': check_flag,
    'sync_bn': partial(check_choice, choices=('torch', 'mmcv')),
    'train_cfg.max_[ei]*s': COUNT,
    **{f'optim_wrapper*paramwise_cfg*.{name}_mult': check_multiplier
       for name in MULTIPLIERS},
    **{f'{loader}.{name}': check
       for loader in LOADERS for name, check in LOADER_VALUES.items()},
}  # yapf: disable
DICTS = ('auto_scale_lr', 'env_cfg', 'env_cfg.mp_cfg', 'log_processor',
         'optim_wrapper', 'optim_wrapper.clip_grad', 'randomness')


def check_host(cfg: Config) -> None:
    """Reject a config of the other host.

    MMEngine would only say that there is no such class.

    Raises:
        ValueError: If the default scope or a type belongs to the other host.
    """
    named = {host.scope_of(cfg): 'default_scope'}
    for part in typed_dicts(cfg._cfg_dict):
        kind = part['type']
        named.setdefault(part.get('_scope_'), f'_scope_ of {kind}')
        named.setdefault(str(kind).partition('.')[0], f'type={kind!r}')
    for other, scopes in host.SCOPES.items():
        for scope in scopes:
            if other != host.NAME and scope in named:
                raise other_host(cfg.filename, other, named[scope])


def check_levels(cfg: Config) -> None:
    """Reject unknown log levels and unknown priorities of hooks.

    Raises:
        ValueError: If there is one.
    """
    level, levels = cfg.get('log_level'), logging.getLevelNamesMapping()
    if isinstance(level, str) and level not in levels:
        raise ValueError(f'log_level={level!r} has to be one of '
                         f'{", ".join(levels)}')
    hooks = {name: cfg.get(name) for name in ('default_hooks', 'custom_hooks')}
    for key, hook in dotted_items(hooks):
        priority = hook.get('priority') if isinstance(hook, dict) else None
        try:
            get_priority('NORMAL' if priority is None else priority)
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                f'{key}.priority={priority!r} has to be a number from 0 to 100'
                f' or one of {", ".join(Priority.__members__)}') from None


def check_hook_types(cfg: Config) -> None:
    """Reject a hook without a type, for example because of a misspelled name.

    MMEngine would not name it.

    Raises:
        ValueError: If there is one.
    """
    hooks = cfg.get('default_hooks') or {}
    for name, hook in hooks.items():
        if isinstance(hook, dict) and 'type' not in hook:
            hint = did_you_mean(name, {*MMENGINE_HOOKS, *hooks} - {name})
            raise ValueError(f'default_hooks.{name} has no type{hint}: correct'
                             ' its name, or set its type')


def check_loops(cfg: Config) -> None:
    """Reject a part of a validation or test loop.

    Raises:
        ValueError: If there is one.
    """
    for loop in ('val', 'test'):
        names = [
            f'{loop}_{part}' for part in ('dataloader', 'cfg', 'evaluator')
        ]
        given = [name for name in names if cfg.get(name) is not None]
        missing = [name for name in names if name not in given]
        if given and missing:
            raise ValueError(
                f'{" and ".join(given)} without {" and ".join(missing)}: set '
                'all three, or none of them')


def is_known(part: dict) -> bool:
    """Whether a part has no type, or one of a package that is known."""
    kind = part.get('type')
    if isinstance(kind, str):
        scope = kind.rpartition('.')[0]
        return scope in ('', 'mmengine', 'mmregioncl')
    return not isclass(kind) or not host.is_own(kind)


def check_custom_logs(cfg: Config) -> None:
    """Reject entries of ``custom_cfg`` that the first log line would.

    Raises:
        ValueError: If there is one.
    """
    where = 'log_processor.custom_cfg'
    entries = (cfg.get('log_processor') or {}).get('custom_cfg') or []
    if not isinstance(entries, (list, tuple)) or not all(
            isinstance(entry, dict) and 'data_src' in entry
            for entry in entries):
        raise ValueError(f'{where} has to be a list of dicts with data_src')
    buffer = HistoryBuffer()
    for entry in entries:
        method, window = entry.get('method_name'), entry.get('window_size', 1)
        if isinstance(window, str):
            check_choice('window_size', window, where, ('epoch', 'global'))
        if method is None:
            continue
        check_choice('method_name', method, where, buffer._statistics_methods)
        known = {
            *inspect.signature(buffer._statistics_methods[method]).parameters,
            'data_src', 'log_name', 'method_name'
        }
        for name in entry.keys() - known:
            raise ValueError(f'{where}.{name} is not a setting of {method}'
                             f'{did_you_mean(name, known)}: correct its name')


def check_rules(cfg: Config) -> None:
    """Reject rules of ``save_best`` that MMEngine does not have.

    Raises:
        ValueError: If there is one.
    """
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    for rule in listed(hook.get('rule')) if is_known(hook) else ():
        if rule is not None:
            check_choice('rule', rule, 'default_hooks.checkpoint',
                         ('greater', 'less'))


def check_backends(cfg: Config) -> None:
    """Reject backends of the visualizer whose package is not installed.

    Only tools that log need them.

    Raises:
        ValueError: If there is one.
    """
    backends = (cfg.get('visualizer') or {}).get('vis_backends') or []
    for number, backend in enumerate(backends):
        package = BACKENDS.get(type_name(backend))
        if package and is_known(backend) and find_spec(package) is None:
            raise ValueError(
                f'visualizer.vis_backends.{number} needs {package}, which is '
                f'not installed: pip install {package}, or remove it')


def check_values(cfg: Config) -> None:
    """Reject unknown settings of what PyTorch and MMEngine build, and values
    that settings cannot have.

    Raises:
        ValueError: If there is one.
    """
    wrapper = cfg.get('optim_wrapper')
    if cfg.get('train_cfg') and isinstance(wrapper, (dict, NoneType)) and \
            not {'optimizer', 'constructor'} & {*(wrapper or {})}:
        raise ValueError(f'optim_wrapper={wrapper} has no optimizer: set '
                         'optim_wrapper.optimizer')
    given = dict(dotted_items(cfg._cfg_dict))
    for key, value in given.items():
        where, _, name = key.rpartition('.')
        if where in OWNERS:
            check_argument(where, given[where], name)
        if value is None:  # the default
            continue
        if key in DICTS and not isinstance(value, dict):
            raise ValueError(f'{key}={value!r} has to be a dict')
        if isinstance(value, str) and value.lower() in FLAGS and \
                not name.isdecimal():  # as in a list of classes
            check_flag(name, value, where or 'the config')
        for pattern, check in VALUES.items():
            if fnmatchcase(key, pattern):
                check(name, value, owner=where or 'the config')


def check_splits(cfg: Config) -> None:
    """Reject misspelled names of ``eval_datasets``.

    Raises:
        ValueError: If there is one.
    """
    for name in (cfg.get('eval_datasets') or {}).keys() - {'train', 'test'}:
        near = did_you_mean(name, ('train', 'test'))
        if near:  # others may be a user's own
            raise ValueError(f'eval_datasets.{name} is not read{near}: correct'
                             ' its name')


def check_scaling(cfg: Config) -> None:
    """Reject a learning rate that is scaled from an unknown batch.

    Raises:
        ValueError: If it is.
    """
    scaled = cfg.get('auto_scale_lr')
    if isinstance(scaled, dict) and scaled.get('enable') and \
            'base_batch_size' not in scaled:
        raise ValueError('auto_scale_lr.enable needs auto_scale_lr.'
                         'base_batch_size, the batch of the learning rate')


def check_argument(where: str, part: dict, name: str) -> None:
    """Reject a setting that its owner lacks, and flags that are not flags.

    Args:
        where (str): Dotted key of the part, one of ``OWNERS``.
        part (dict): Its settings.
        name (str): One of them.

    Raises:
        ValueError: If it is such a setting.
    """
    owner, also = OWNERS[where], READ_BY_MMENGINE.get(where, ())
    arguments = {
        key: argument
        for key, argument in inspect.signature(owner).parameters.items()
        if key not in PASSED
    }
    if 'type' in also and not (is_known(part)
                               and type_name(part) in ('', owner.__name__)):
        return  # another type has its own settings
    known = [*arguments, *also]
    if name not in known:
        raise ValueError(f'{where}.{name} is not a setting of {owner.__name__}'
                         f'{did_you_mean(name, known)}: correct its name')
    is_flag = name in arguments and isinstance(arguments[name].default, bool)
    if is_flag and part[name] is not None:
        check_flag(name, part[name], where)


def check_momentum(cfg: Config) -> None:
    """Reject a momentum that follows the convention of the other host.

    Raises:
        ValueError: If the moving average would hardly keep anything.
    """
    kind = type_name(cfg.model)
    name = AVERAGES.get(kind.removeprefix('RegionCL'))
    if name in cfg.model:
        momentum = check_number(name, cfg.model[name], kind)
        host.check_momentum(name, momentum, kind)
