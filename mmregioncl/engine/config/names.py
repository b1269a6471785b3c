"""Find settings of a config that would have no effect."""
import ast
import inspect
import logging
from difflib import get_close_matches
from pathlib import Path
from typing import Iterator, List, Set, Tuple

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmregioncl.datasets.nested import dotted_items, places_inside
from ..launch import is_main_process
from .old import LEFT_OVER, OLD_SETTINGS
from .values import MMENGINE_HOOKS

# Settings that Runner and our tools read besides the arguments of Runner
ALSO_READ = ('activation_checkpointing', 'compile', 'efficient_conv_bn_eval',
             'eval_datasets', 'find_unused_parameters', 'model_wrapper_cfg',
             'sync_bn')
FEW = 3  # settings of one name, to propose all of them
# Names that the Runner and our tools read from a config
READ = {*inspect.signature(Runner.__init__).parameters, *ALSO_READ}


def read_names(cfg: Config) -> Set[str]:
    """Names that the Runner and our tools read from this config.

    The Runner ignores ``data_preprocessor`` if the model has one.
    """
    if 'data_preprocessor' in cfg.model:
        return READ - {'data_preprocessor'}
    return READ


def places_of(cfg: Config, key: str) -> List[str]:
    """Settings that the Runner or a tool reads, and whose name ends so."""
    known = read_names(cfg)
    return [
        place for place in places_inside(cfg._cfg_dict, key)
        if place.partition('.')[0] in known
    ]


def check_imports(cfg: Config) -> None:
    """Reject ``custom_imports`` that MMEngine does not import.

    Raises:
        ValueError: If a pure Python config has some.
    """
    if 'custom_imports' in cfg and Config._is_lazy_import(cfg.filename):
        raise ValueError(
            f'MMEngine ignores custom_imports of a pure Python config: import '
            f'the modules in {cfg.filename}, and remove the setting')


def check_options(cfg: Config, options: dict) -> None:
    """Reject options that MMEngine would ignore silently.

    Warns about names that only a user's own code can read.

    Raises:
        ValueError: If a name is misspelled or of MMSelfSup 0.x, if a list has
            no such entry, or if there is no such hook to remove.
    """
    hooks = [*(cfg.get('default_hooks') or {}), *MMENGINE_HOOKS]
    known = read_names(cfg)
    for key, value in options.items():
        name, *rest = key.split('.')
        if name in OLD_SETTINGS and name not in cfg:
            raise ValueError(f'{key} is a setting of MMSelfSup 0.x: set '
                             f'{OLD_SETTINGS[name]}')
        if name not in known:
            # A similar setting, or a setting without its parents, such as lr
            near = name not in cfg and get_close_matches(name, known, 1, 0.8)
            near = near or places_of(cfg, key)
            if len(near) == 1 and name not in cfg:
                raise ValueError(
                    f'{key} is not a setting, did you mean {near[0]}?')
            if is_main_process():
                where = ', '.join(
                    near[:FEW]) or 'train_dataloader.dataset.data_root'
                print_log(
                    f'{key} is not a setting of the Runner, and variables have'
                    ' no effect after the config was read: override the '
                    f'setting that uses it, such as {where}', 'current',
                    logging.WARNING)
        check_lists(cfg, key)
        if name == 'default_hooks' and value is None and len(rest) == 1 and \
                rest[0] not in hooks:
            raise ValueError(f'there is no hook {rest[0]} to remove: use one '
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
                f'{key} is not an entry of {where}, a list of {len(entries)}: '
                f'indices start at 0, as in {where}.0')


def check_variables(cfg: Config) -> None:
    """Warn about variables of config files that have no effect.

    Bases are read first. If a base has used a variable, as in
    ``dict(batch_size=batch_size)``, its settings keep the old value. Others
    have the name of an old setting, one similar to a setting, or that of a
    setting without its parents, such as ``queue_len`` for
    ``model.queue_len``. Of these, only variables of the file itself that no
    setting has the value of are certain to be mistakes.
    """
    if Config._is_lazy_import(cfg.filename) or not is_main_process():
        return
    files = [(path, *names_in(path)) for path in lineage(cfg.filename)]
    used = read_names(cfg) | {'_base_'}  # or assigned again, in a child
    old = []
    for number, (path, assigned, read) in enumerate(files, 1):
        used |= read
        old += [
            f'{name} in {path} (now {OLD_SETTINGS[name]})'
            for name in LEFT_OVER if name in assigned - used
        ]
        before = {
            name
            for _, *parts in files[number:]
            for name in parts[0] & parts[1]
        }
        for name in sorted(assigned - used):
            near = [] if name in (*OLD_SETTINGS, *READ) else \
                get_close_matches(name, READ, 1, 0.8)
            if name in before:
                print_log(
                    f'{name} in {path} has no effect, since a base has used '
                    'its value before: override the settings that use it',
                    'current', logging.WARNING)
            elif near and near[0][0] == name[0]:  # not eval_ for val_
                print_log(
                    f'{name} in {path} is not a setting, did you mean '
                    f'{near[0]}?', 'current', logging.WARNING)
            elif number == 1 and (places := differing(cfg, name)):
                print_log(
                    f'{name} in {path} has no effect, did you mean '
                    f'{" or ".join(places)}?', 'current', logging.WARNING)
        used |= assigned
    if old:
        print_log(
            'settings of MMSelfSup 0.x have no effect: remove them, or set '
            f'those of today: {"; ".join(old)}', 'current', logging.WARNING)


def differing(cfg: Config, name: str) -> List[str]:
    """Settings of the name of a variable, if there are few and none has its
    value."""
    given, places = dict(dotted_items(cfg._cfg_dict)), places_of(cfg, name)
    if name in OLD_SETTINGS:  # a warning of its own
        return []
    idle = name in given and len(places) <= FEW and all(
        given[place] != given[name] for place in places)
    return places if idle else []


def lineage(path: str) -> Iterator[str]:
    """Yield a Python config and its bases, except those of packages."""
    if not path.endswith('.py') or not Path(path).is_file():
        return
    yield path
    for base in Config._get_base_files(path):
        if '::' not in base:
            yield from lineage(Config._get_cfg_path(base, path)[0])


def names_in(path: str) -> Tuple[Set[str], Set[str]]:
    """Names that a config assigns, and names that it reads.

    A loop or ``+=`` assigns no setting, and ``locals()`` reads every name.
    """
    assigned: Set[str] = set()
    read: Set[str] = set()
    for node in ast.walk(ast.parse(Path(path).read_text(encoding='utf-8'))):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = getattr(node, 'targets', None) or [node.target]
            assigned |= {
                name.id
                for target in targets
                for name in ast.walk(target) if isinstance(name, ast.Name)
                and isinstance(name.ctx, ast.Store)
            }
        elif isinstance(node, ast.AugAssign):
            read |= {getattr(node.target, 'id', '')}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            read.add(node.id)
        elif isinstance(node, ast.Attribute):
            read.add(node.attr)  # as in _base_.batch_size
    if read & {'globals', 'locals', 'vars'}:
        read |= assigned
    return assigned, read
