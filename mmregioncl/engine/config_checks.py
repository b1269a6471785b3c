"""Checks of a config, before anything is built from it."""
import inspect
import logging
import re
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb
from typing import Any, Optional, Set, Union

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmregioncl import host
from mmregioncl.datasets.nested import dotted_items, type_name, typed_dicts
from mmregioncl.validation import listed
from .launch import is_main_process

# Settings that Runner and our tools read besides the arguments of Runner
ALSO_READ = ('activation_checkpointing', 'compile', 'efficient_conv_bn_eval',
             'eval_datasets', 'find_unused_parameters', 'model_wrapper_cfg',
             'sync_bn')

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

# The momentum of a moving average, by the method
AVERAGES = dict(
    BYOL='base_momentum',
    DenseCL='momentum',
    MoCo='momentum',
    MoCoV3='base_momentum')

# Where a setting is looked for first
FIRST = ('train_dataloader', 'optim_wrapper', 'train_cfg', 'model')

# Default hooks of MMEngine, which may be None
MMENGINE_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger',
                  'param_scheduler', 'checkpoint')


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


def missing_file(path: Union[str, Path],
                 error: FileNotFoundError) -> FileNotFoundError:
    """Say what to do if a config, or one of its bases, is not there.

    A config of MMSelfSup 0.x is taken from its folder often.

    Args:
        path (str or Path): The config.
        error (FileNotFoundError): Of MMEngine.
    """
    if not Path(path).is_file():
        return FileNotFoundError(
            f'there is no config {path}: name a file that exists')
    found = re.search('["\'](.+\\.py)["\']', str(error))
    if not found:  # what its own code opens
        return error
    base = f'its base {found[1]} is not there'
    text = Path(path).read_text(errors='replace')
    names = {*re.findall(r'^(\w+) *=', text, re.M)}
    given = names & OLD_SETTINGS.keys()
    if given and not ESSENTIAL & names:
        return FileNotFoundError(
            f'{path} is a config of MMSelfSup 0.x, MMClassification 0.x or '
            f'MMDetection 2.x, and {base}: take the config of the same name '
            f'from the installed version, or translate {translations(given)}')
    return FileNotFoundError(f'{path} cannot be read, since {base}: correct '
                             '_base_, or copy the config with its bases')


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


def check_hook_types(cfg: Config) -> None:
    """Refuse a hook without a type, as by a misspelt name.

    Raises:
        ValueError: If there is one.
    """
    hooks = cfg.get('default_hooks') or {}
    for name, hook in hooks.items():
        if isinstance(hook, dict) and 'type' not in hook and \
                name not in MMENGINE_HOOKS:
            known = dict.fromkeys([*MMENGINE_HOOKS, *hooks])
            del known[name]
            raise ValueError(f'default_hooks.{name} has no type: set it, or '
                             f'name one of {", ".join(known)}')


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


def check_host(cfg: Config) -> None:
    """Refuse a config of the host that is not extended.

    MMEngine would only say that there is no such class.

    Raises:
        ValueError: If the default scope or a type is the other host's.
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


def imported_host(error: BaseException) -> Optional[str]:
    """Name of the other host, if an error comes from importing it."""
    name = getattr(error, 'name', None)
    if name in host.SCOPES.keys() - {host.NAME}:
        return name
    cause = error.__cause__ or error.__context__
    return imported_host(cause) if cause else None


def naming_setting(error: BaseException) -> str:
    """The setting of a config that MMEngine was reading when it failed."""
    readers = dict(
        _get_cfg_path='_base_', import_modules_from_strings='custom_imports')
    calls = [frame.name for frame in extract_tb(error.__traceback__)]
    found = [readers[name] for name in calls if name in readers]
    cause = error.__cause__ or error.__context__
    if found or cause is None:
        return found[0] if found else 'an import'
    return naming_setting(cause)


def other_host(path: Union[str, Path], other: str, setting: str) -> ValueError:
    """What to do with a config of the host that is not extended.

    Args:
        path (str or Path): The config.
        other (str): The host it is for.
        setting (str): What tells so.
    """
    return ValueError(
        f'{path} is a config of {other}, by {setting}: '
        f'{host.excluded(other, host.NAME)}, or take a config of {host.NAME} '
        'for the same method')


def check_rules(cfg: Config) -> None:
    """Refuse to wait for the best of a metric if it is not known what that is.

    Raises:
        ValueError: If a hook does not tell by the name whether higher is
            better, and sets no ``rule``.
    """
    hooks = [cfg.get('default_hooks') or {}, cfg.get('custom_hooks') or []]
    for hook in typed_dicts(hooks):
        setting = 'save_best' if 'save_best' in hook else 'monitor'
        names = listed(hook.get(setting) or [])
        if hook.get('rule') or not names:
            continue
        kind = hook['type']
        if isinstance(kind, str):
            scope = host.scope_of(cfg)
            with HOOKS.switch_scope_and_registry(scope) as registry:
                kind = registry.get(kind)
        known = [
            key.lower() for rule in ('greater', 'less')
            for key in getattr(kind, f'_default_{rule}_keys', ())
        ]
        for name in names:
            if known and name != 'auto' and \
                    not any(key in name.lower() for key in known):
                raise ValueError(
                    f'{setting}={name!r} of {kind.__name__} does not say '
                    'whether higher is better: set its rule to "greater" '
                    'or "less"')


def check_momentum(cfg: Config) -> None:
    """Refuse the momentum of a moving average of the other host.

    Raises:
        ValueError: If the average would hardly keep anything.
    """
    kind = type_name(cfg.model)
    name = AVERAGES.get(kind.removeprefix('RegionCL'))
    if name in cfg.model:
        host.check_momentum(kind, name, cfg.model[name])
