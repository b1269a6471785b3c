"""Names in a config, or in options, that change nothing."""
import ast
import inspect
import logging
from numbers import Real
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Set, Tuple

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmregioncl.datasets.nested import dotted_items
from mmregioncl.validation import similar
from .config_checks import MMENGINE_HOOKS
from .old_configs import OLD_SETTINGS

# Settings that Runner and our tools read besides the arguments of Runner
ALSO_READ = ('activation_checkpointing', 'compile', 'efficient_conv_bn_eval',
             'eval_datasets', 'find_unused_parameters', 'model_wrapper_cfg',
             'sync_bn')

# Where a setting is looked for first
FIRST = ('train_dataloader', 'optim_wrapper', 'train_cfg', 'model')

# Where numbers are often set by variables of the same name
DIRECT = ('train_dataloader', 'optim_wrapper', 'optim_wrapper.optimizer',
          'train_cfg')


def settings_read() -> Set[str]:
    """Names that the Runner and our tools read from a config."""
    return {*inspect.signature(Runner.__init__).parameters, *ALSO_READ}


def check_names(cfg: Config) -> None:
    """Refuse misspelt settings.

    Other names may be variables of the config, as those that it reads are.

    Raises:
        ValueError: If there is one.
    """
    known = settings_read()
    for name in cfg:
        near = similar(name, known, 0.9)
        if near and near not in cfg and name not in known and \
                name not in OLD_SETTINGS and not is_read(name, cfg.filename):
            raise ValueError(f'{cfg.filename} sets {name}, which nothing '
                             f'reads: set {near}')


def warn_of_variables(cfg: Config) -> None:
    """Warn of variables that do not change the setting that they seem to set.

    Such as ``batch_size``, or a new ``train_pipeline``, in the config or in a
    base of it: bases are read first, so that their settings keep the old one.
    """
    if Config._is_lazy_import(cfg.filename):
        return
    known = settings_read() | OLD_SETTINGS.keys()
    # Settings of training come first.
    settings = sorted(known & cfg.keys(), key=FIRST.__contains__, reverse=True)
    places = dict(dotted_items({name: cfg[name] for name in settings}))
    seen: Set[str] = set()
    for path in lineage(cfg.filename):
        assigned, read = names_assigned_and_read(path)
        # What an heir assigns replaces it, and what an heir reads is used.
        seen |= read
        idle = (assigned & cfg.keys()) - known - seen
        seen |= assigned
        before: dict = {}
        for base in bases_of(path, installed=True) if idle else ():
            before.update(Config.fromfile(base)._cfg_dict)
        for name in sorted(idle):
            found = intended(name, cfg[name], before, places)
            if found:
                print_log(f'{name} in {path} has no effect: set {found}',
                          'current', logging.WARNING)


def is_read(name: str, path: str) -> bool:
    """Whether the code of a config, or of a base of it, reads a variable."""
    return any(
        name in names_assigned_and_read(part)[1] for part in lineage(path))


def lineage(path: str) -> Iterator[str]:
    """Yield a Python config and its bases, unless packages have them."""
    if path.endswith('.py') and 'site-packages' not in Path(path).parts:
        yield path
        for base in bases_of(path, installed=False):
            yield from lineage(base)


def bases_of(path: str, installed: bool) -> Iterator[str]:
    """Yield the paths of the bases that a Python config names.

    Those that begin with ``{{ fileDirname }}`` are left out.

    Args:
        path (str): The config.
        installed (bool): Whether to yield those of installed packages.
    """
    for base in Config._get_base_files(path):
        if installed or '::' not in base:
            found = Config._get_cfg_path(base, path)[0]
            if Path(found).is_file():
                yield found


def names_assigned_and_read(path: str) -> Tuple[Set[str], Set[str]]:
    """Names that a config assigns, and those that it reads."""
    assigned: Set[str] = set()
    read: Set[str] = set()
    for node in ast.walk(ast.parse(Path(path).read_text(encoding='utf-8'))):
        if isinstance(node, ast.Name):
            names = assigned if isinstance(node.ctx, ast.Store) else read
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            read.add(node.attr)  # as in _base_.batch_size
    return assigned, read


def intended(name: str, value: Any, before: dict,
             places: Dict[str, Any]) -> Optional[str]:
    """The setting that a variable seems to set, and does not.

    Args:
        name (str): Name of the variable.
        value (Any): Its value.
        before (dict): What the bases have set.
        places (dict): All settings, by dotted keys.

    Returns:
        str or None: Dotted key.
    """
    old = before.get(name)
    if name in before and old == value:
        return None
    given = dict(dotted_items(before))
    kept = {
        key: found
        for key, found in places.items() if given.get(key) == found
    }
    if old and isinstance(old, (str, list, dict)):
        # The bases have built this setting of it.
        return None if value in places.values() else next(
            (key for key, found in kept.items() if found == old), None)
    # Numbers are the same by chance, so that their names have to be, too.
    if isinstance(value, Real):
        for part in DIRECT:
            found = kept.get(f'{part}.{name}')
            if isinstance(found, Real) and found != value:
                return f'{part}.{name}'
    return None


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
            near = similar(name, known)
            hint = f', did you mean {near}?' if near else ''
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
