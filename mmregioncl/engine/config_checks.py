"""Check a config before anything is built from it."""
import ast
import inspect
import logging
from fnmatch import fnmatchcase
from functools import partial
from multiprocessing import get_all_start_methods
from pathlib import Path
from types import NoneType
from typing import Iterator, Set, Tuple

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.runner.priority import Priority, get_priority
from torch.utils.data import DataLoader

from mmregioncl import host
from mmregioncl.datasets.nested import dotted_items, type_name, typed_dicts
from mmregioncl.validation import (check_choice, check_number,
                                   check_whole_number, meant, proposal,
                                   similar)
from .config_reading import other_host
from .launch import is_main_process
from .old_configs import LEFT_OVER, OLD_SETTINGS

# Settings that Runner and our tools read besides the arguments of Runner
ALSO_READ = ('activation_checkpointing', 'compile', 'efficient_conv_bn_eval',
             'eval_datasets', 'find_unused_parameters', 'model_wrapper_cfg',
             'sync_bn')

# The argument with the momentum of the moving average, by method
AVERAGES = dict(
    BYOL='base_momentum',
    DenseCL='momentum',
    MoCo='momentum',
    MoCoV3='base_momentum')

# Default hooks of MMEngine, which may be None
MMENGINE_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger',
                  'param_scheduler', 'checkpoint')

COUNT = partial(check_whole_number, low=1)
# Checks of values that MMEngine accepts, or rejects without their setting
VALUES = {
    'env_cfg.mp_cfg.mp_start_method': partial(
        check_choice, choices=get_all_start_methods()),
    'optim_wrapper*.accumulative_counts': COUNT,
    'optim_wrapper*optimizer.lr': check_number,
    'optim_wrapper*optimizer.weight_decay': check_number,
    'param_scheduler*.T_max': partial(check_number, positive=True),
    'randomness.seed': partial(check_whole_number, low=0),
    'train_cfg.max_[ei]*s': COUNT,
    '*_dataloader.batch_size': COUNT,
    '*_dataloader.num_workers': partial(check_whole_number, low=0),
    '*_dataloader.prefetch_factor': COUNT,
    '*_dataloader.timeout': check_number,
}  # yapf: disable
DICTS = ('env_cfg', 'env_cfg.mp_cfg', 'log_processor', 'optim_wrapper',
         'optim_wrapper.clip_grad', 'randomness')
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


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
    """Reject a hook without a type, as after a misspelled name.

    MMEngine would not say which.

    Raises:
        ValueError: If there is one.
    """
    hooks = cfg.get('default_hooks') or {}
    for name, hook in hooks.items():
        if isinstance(hook, dict) and 'type' not in hook and \
                name not in MMENGINE_HOOKS:
            hint = proposal(meant(name, {*MMENGINE_HOOKS, *hooks} - {name}))
            raise ValueError(f'default_hooks.{name} has no type{hint}: correct'
                             ' its name, or set its type')


def check_values(cfg: Config) -> None:
    """Reject settings that PyTorch's ``DataLoader`` does not have, and values
    that settings of MMEngine cannot have.

    Raises:
        ValueError: If there is one.
    """
    loader = [*inspect.signature(DataLoader).parameters, 'num_batch_per_epoch']
    wrapper = cfg.get('optim_wrapper')
    if cfg.get('train_cfg') and isinstance(wrapper, (dict, NoneType)) and \
            not {'optimizer', 'constructor'} & {*(wrapper or {})}:
        raise ValueError(f'optim_wrapper={wrapper} has no optimizer: set '
                         'optim_wrapper.optimizer')
    for key, value in dotted_items(cfg._cfg_dict):
        where, _, name = key.rpartition('.')
        if where in LOADERS and name not in loader:
            hint = proposal(meant(name, loader))
            raise ValueError(f'{key} is no setting of DataLoader{hint}: '
                             'correct its name')
        if value is None:  # the default
            continue
        if key in DICTS and not isinstance(value, dict):
            raise ValueError(f'{key}={value!r} has to be a dict')
        for pattern, check in VALUES.items():
            if fnmatchcase(key, pattern):
                check(name, value, owner=where)


def check_momentum(cfg: Config) -> None:
    """Reject a momentum that follows the convention of the other host.

    Raises:
        ValueError: If the moving average would hardly keep anything.
    """
    kind = type_name(cfg.model)
    name = AVERAGES.get(kind.removeprefix('RegionCL'))
    if name in cfg.model:
        host.check_momentum(kind, name, cfg.model[name])


def check_imports(cfg: Config) -> None:
    """Reject ``custom_imports`` that MMEngine does not import.

    Raises:
        ValueError: If a pure Python config has some.
    """
    if 'custom_imports' in cfg and Config._is_lazy_import(cfg.filename):
        raise ValueError(
            f'MMEngine ignores custom_imports of a pure Python config: import '
            f'the modules in {cfg.filename}, and remove the setting')


def settings_read() -> Set[str]:
    """Names that the Runner and our tools read from a config."""
    return {*inspect.signature(Runner.__init__).parameters, *ALSO_READ}


def check_options(cfg: Config, options: dict) -> None:
    """Reject options that MMEngine would ignore silently.

    Warns of names that only a user's own code can read.

    Raises:
        ValueError: If a name is misspelt or of MMSelfSup 0.x, if a list has no
            such entry, or if there is no such hook to remove.
    """
    known = settings_read()
    hooks = [*(cfg.get('default_hooks') or {}), *MMENGINE_HOOKS]
    for key, value in options.items():
        name, *rest = key.split('.')
        # A similar setting, or one whose parents are missing, as of lr
        near = similar(name, known, 0.8) or next(
            (place for place, _ in dotted_items(cfg._cfg_dict)
             if place.endswith(f'.{key}')), '')
        if name in OLD_SETTINGS and name not in cfg:
            raise ValueError(f'{key} is a setting of MMSelfSup 0.x: set '
                             f'{OLD_SETTINGS[name]}')
        if name not in known and near and name not in cfg:
            raise ValueError(f'{key} is not a setting, did you mean {near}?')
        if name not in known and is_main_process():
            print_log(
                f'{key} is no setting of the Runner, and variables have no '
                'effect after the config was read: override the setting that '
                'uses it, such as train_dataloader.dataset.data_root',
                'current', logging.WARNING)
        check_lists(cfg, key)
        if name == 'default_hooks' and value is None and len(rest) == 1 and \
                rest[0] not in hooks:
            raise ValueError(f'there is no hook {rest[0]} to remove: name one '
                             f'of {", ".join(hooks)}')


def check_lists(cfg: Config, key: str) -> None:
    """Reject a dotted key that does not give the index of an entry of a list.

    Raises:
        ValueError: If the list has no such entry.
    """
    known, names = dict(dotted_items(cfg._cfg_dict)), key.split('.')
    for end in range(1, len(names)):
        where = '.'.join(names[:end])
        entries = known.get(where)
        if isinstance(entries, (list, tuple)) and \
                f'{where}.{names[end]}' not in known:
            raise ValueError(
                f'{key} names no entry of {where}, a list of {len(entries)}: '
                f'count them from 0, as in {where}.0')


def check_variables(cfg: Config) -> None:
    """Warn of variables that a child config assigns too late.

    Bases are read first. If a base has used the variable, as in
    ``dict(batch_size=batch_size)``, its settings keep the old value.

    Raises:
        ValueError: If one has the name of an old setting, and is not used.
    """
    if Config._is_lazy_import(cfg.filename):
        return
    files = [(path, *names_in(path)) for path in lineage(cfg.filename)]
    used = settings_read() | {'_base_'}  # or assigned again, in a child
    for number, (path, assigned, read) in enumerate(files, 1):
        used |= read
        for name in (name for name in LEFT_OVER if name in assigned - used):
            raise ValueError(f'{name} in {path} has no effect: set '
                             f'{OLD_SETTINGS[name]}, or remove it')
        before = {
            name
            for _, *parts in files[number:]
            for name in parts[0] & parts[1]
        }
        late = sorted((assigned & before) - used)
        for name in late if is_main_process() else ():
            print_log(
                f'{name} in {path} has no effect, since a base has used its '
                'value before: override the settings that use it', 'current',
                logging.WARNING)
        used |= assigned


def lineage(path: str) -> Iterator[str]:
    """Yield a Python config and its bases, except those of packages."""
    if not path.endswith('.py') or not Path(path).is_file():
        return
    yield path
    for base in Config._get_base_files(path):
        if '::' not in base:
            yield from lineage(Config._get_cfg_path(base, path)[0])


def names_in(path: str) -> Tuple[Set[str], Set[str]]:
    """Names that a config assigns, and names that it reads."""
    assigned: Set[str] = set()
    read: Set[str] = set()
    for node in ast.walk(ast.parse(Path(path).read_text(encoding='utf-8'))):
        if isinstance(node, ast.Name):
            names = assigned if isinstance(node.ctx, ast.Store) else read
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            read.add(node.attr)  # as in _base_.batch_size
    return assigned, read
