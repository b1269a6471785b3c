"""Names in a config, or in options, that change nothing."""
import inspect
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Set

from mmengine.config import Config
from mmengine.runner import Runner

from mmregioncl.datasets.nested import dotted_items
from .config_checks import MMENGINE_HOOKS
from .old_configs import OLD_SETTINGS

# Settings that Runner and our tools read besides the arguments of Runner
ALSO_READ = ('activation_checkpointing', 'compile', 'efficient_conv_bn_eval',
             'eval_datasets', 'find_unused_parameters', 'model_wrapper_cfg',
             'sync_bn')

# Where a setting is looked for first
FIRST = ('train_dataloader', 'optim_wrapper', 'train_cfg', 'model')


def settings_read() -> Set[str]:
    """Names that the Runner and our tools read from a config."""
    return {*inspect.signature(Runner.__init__).parameters, *ALSO_READ}


def check_names(cfg: Config) -> None:
    """Refuse names that are nearly those of settings which are not set.

    Other names may be variables of the config.

    Raises:
        ValueError: If there is one.
    """
    known = settings_read()
    for name in cfg:
        near = get_close_matches(name, known, 1, 0.9)
        if near and near[0] not in cfg and name not in known and \
                name not in OLD_SETTINGS:
            raise ValueError(f'{cfg.filename} sets {name}, which nothing '
                             f'reads: set {near[0]}')


def check_variables(cfg: Config) -> None:
    """Refuse names that do not change the setting that they seem to set.

    Such as ``batch_size``, or a new ``train_pipeline``: bases are read first,
    so that their settings keep the old one.

    Raises:
        ValueError: If there is one.
    """
    path = cfg.filename
    if Config._is_lazy_import(path):
        return
    text = Path(path).read_text(encoding='utf-8')
    known = settings_read() | OLD_SETTINGS.keys()
    given = [
        name for name in re.findall(r'^(\w+) *=', text, re.M)
        if name in cfg and name not in known
        and len(re.findall(rf'\b{name}\b', text)) == 1  # else it is used
    ]
    if not given:
        return
    settings = sorted(known & cfg.keys(), key=FIRST.__contains__, reverse=True)
    places = [*dotted_items({name: cfg[name] for name in settings})]
    replaced = {}
    for base in Config._get_base_files(path):
        replaced.update(
            Config.fromfile(Config._get_cfg_path(base, path)[0])._cfg_dict)
    for name in given:
        old, new = replaced.get(name), cfg[name]
        if name in replaced and (old == new or any(value == new
                                                   for _, value in places)):
            continue
        found = [  # numbers are the same by chance
            where for where, value in places
            if value == old and isinstance(old, (str, list, dict))
        ]
        if not found:
            found = [
                where for where, _ in places if where.endswith(f'.{name}')
            ]
        if found:
            raise ValueError(f'{name} in {path} has no effect: set {found[0]}')


def check_imports(cfg: Config) -> None:
    """Refuse ``custom_imports`` that MMEngine does not import.

    Raises:
        ValueError: If a pure Python config has some.
    """
    if 'custom_imports' in cfg and Config._is_lazy_import(cfg.filename):
        raise ValueError(
            f'MMEngine ignores custom_imports of a pure Python config: import '
            f'the modules in {cfg.filename}, and remove the setting')


def check_options(cfg: Config, options: dict) -> None:
    """Refuse options that MMEngine would ignore silently.

    Raises:
        ValueError: If a key begins with a name that nothing reads, names no
            entry of a list, or removes a hook that does not exist.
    """
    known = settings_read()
    hooks = [*(cfg.get('default_hooks') or {}), *MMENGINE_HOOKS]
    for key, value in options.items():
        name, *rest = key.split('.')
        if name in OLD_SETTINGS:
            raise ValueError(f'{key} is a setting of MMSelfSup 0.x: set '
                             f'{OLD_SETTINGS[name]}')
        if name not in known and name in cfg:
            raise ValueError(
                f'{key} has no effect after {cfg.filename} was read: override '
                'the setting that uses it, such as train_dataloader.dataset.'
                f'{key}')
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f', did you mean {near[0]}?' if near else ''
            raise ValueError(f'{key} is not a setting{hint}')
        check_lists(cfg._cfg_dict, key)
        if name == 'default_hooks' and value is None and len(rest) == 1 and \
                rest[0] not in hooks:
            raise ValueError(f'there is no hook {rest[0]} to remove: name one '
                             f'of {", ".join(hooks)}')


def check_lists(cfg: dict, key: str) -> None:
    """Refuse a dotted key that has a name where a list needs an index.

    Raises:
        ValueError: If the list has no such entry.
    """
    place, path = cfg, []
    for name in key.split('.'):
        if isinstance(place, list):
            if not name.isdigit() or int(name) >= len(place):
                where = '.'.join(path)
                raise ValueError(
                    f'{key} names no entry of {where}, a list of {len(place)}:'
                    f' count them from 0, as in {where}.0')
            place = place[int(name)]
        elif isinstance(place, dict):
            place = place.get(name)
        else:
            return
        path.append(name)
