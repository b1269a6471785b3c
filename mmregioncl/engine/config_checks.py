"""Checks of types, hooks and momenta, before anything is built of them."""
import inspect
import logging

from mmengine.config import Config
from mmengine.registry import HOOKS
from mmengine.runner.priority import Priority, get_priority
from torch.utils.data import DataLoader

from mmregioncl import host
from mmregioncl.datasets.nested import dotted_items, type_name, typed_dicts
from mmregioncl.validation import listed, meant, proposal
from .config_reading import other_host

# The momentum of a moving average, by the method
AVERAGES = dict(
    BYOL='base_momentum',
    DenseCL='momentum',
    MoCo='momentum',
    MoCoV3='base_momentum')

# Default hooks of MMEngine, which may be None
MMENGINE_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger',
                  'param_scheduler', 'checkpoint')


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


def check_levels(cfg: Config) -> None:
    """Refuse a level of the log or a priority of a hook that MMEngine lacks.

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


def check_loaders(cfg: Config) -> None:
    """Refuse settings of data loaders that PyTorch's does not take.

    Raises:
        ValueError: If there is one.
    """
    known = [*inspect.signature(DataLoader).parameters, 'num_batch_per_epoch']
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        for key in loader if isinstance(loader, dict) else ():
            if key not in known:
                hint = proposal(meant(key, known))
                raise ValueError(f'{name}.{key} is no setting of DataLoader'
                                 f'{hint}: correct its name')


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
