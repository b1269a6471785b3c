"""Read the config of a run, and apply the arguments of the tools to it."""
import re
from pathlib import Path
from typing import Optional, Union

import torch
from mmengine.config import Config

from mmregioncl.datasets.nested import type_name
from mmregioncl.files import check_exists
from ..switches import amp_is_slow
from .names import check_imports, check_options, check_variables
from .old import check_old
from .read import read_file
from .values import (MMENGINE_HOOKS, check_custom_logs, check_hook_types,
                     check_host, check_levels, check_loops, check_momentum,
                     check_rules, check_scaling, check_splits, check_values)

# Settings of mixed precision that a CPU does not have
GPU_SETTINGS = ('dtype', 'loss_scale', 'use_fsdp')


def read_config(path: Union[str, Path]) -> Config:
    """Read the config of a run.

    Raises:
        FileNotFoundError, ValueError: As :func:`read_file`.
        ValueError: If it has no model.
    """
    cfg = read_file(path)
    if not cfg.get('model'):
        raise ValueError(f'{path} has no model: use the config of a run')
    return cfg


def load_config(path: Union[str, Path],
                options: Optional[dict] = None) -> Config:
    """Read the config of a run and override some of its settings.

    Default hooks that are None are removed.

    Args:
        path (str or Path): The config file.
        options (dict, optional): Values by dotted keys, such as
            ``{'train_cfg.max_epochs': 100}``. Defaults to None.

    Raises:
        ValueError: If a setting or an option has no effect, or needs the other
            host.
    """
    cfg = read_config(path)
    check_old(cfg)
    check_imports(cfg)
    check_options(cfg, options or {})
    check_variables(cfg)  # of the file alone
    cfg.merge_from_dict(options or {})
    check_host(cfg)
    check_momentum(cfg)
    check_levels(cfg)
    check_hook_types(cfg)
    check_values(cfg)
    check_loops(cfg)
    check_splits(cfg)
    check_scaling(cfg)
    check_rules(cfg)
    check_custom_logs(cfg)
    hooks = cfg.get('default_hooks') or {}
    for name in [name for name, hook in hooks.items() if hook is None]:
        if name not in MMENGINE_HOOKS:  # MMEngine removes its own
            del hooks[name]
    return cfg


def set_pretrained(cfg: Config, checkpoint: str) -> None:
    """Set the checkpoint to fine-tune.

    Args:
        cfg (Config): A config with ``default_hooks.pretrained``, a
            ``PretrainedHook``.
        checkpoint (str): Path or URL, or 'none' for random weights.

    Raises:
        ValueError: If the config has no such hook.
        FileNotFoundError: If the checkpoint does not exist.
    """
    if checkpoint != 'none':
        check_exists(checkpoint, optional=True)
    hook = cfg.get('default_hooks', {}).get('pretrained')
    if hook is None:
        raise ValueError(
            f'{cfg.filename} has no default_hooks.pretrained for '
            '--pretrained: choose a config of configs/benchmarks, or load '
            'a checkpoint of the same model with --cfg-options load_from=...')
    hook.checkpoint = checkpoint


def set_amp(cfg: Config, device: str) -> None:
    """Train in mixed precision: float16 on a GPU, bfloat16 on a CPU.

    Args:
        cfg (Config): Config of a run. On a GPU, ``optim_wrapper.dtype`` may
            set another type.
        device (str): Type of the device.

    Raises:
        ValueError: If mixed precision is slower on this machine, unless the
            config sets the wrapper itself.
    """
    wrapper = cfg.optim_wrapper
    kind, dtype = 'AmpOptimWrapper', wrapper.get('dtype') or 'float16'
    if device == 'cpu':
        kind, dtype = 'mmregioncl.AutocastOptimWrapper', 'bfloat16'
    slow = amp_is_slow(device, getattr(torch, dtype))
    if slow and wrapper.get('type') != kind:
        raise ValueError(
            f'--amp computes in {dtype}, which is slower than float32 here, '
            f'since {slow}: leave --amp out, or set '
            f'optim_wrapper.type={kind}')
    wrapper.type = kind
    if device == 'cpu':
        for name in GPU_SETTINGS:
            wrapper.pop(name, None)
    else:
        wrapper.setdefault('loss_scale', 'dynamic')


def check_amp(cfg: Config, device: str) -> None:
    """Reject MMEngine's mixed precision on a CPU.

    Raises:
        ValueError: If the config sets it.
    """
    wrapper = cfg.get('optim_wrapper') or {}
    kind = type_name(wrapper)
    if kind == 'AmpOptimWrapper' and device == 'cpu':
        plain = dict(_delete_=True, type='OptimWrapper')
        plain.update((name, value) for name, value in wrapper.items()
                     if name not in ('type', *GPU_SETTINGS))
        line = Config(dict(optim_wrapper=plain)).pretty_text
        line = re.sub(r"(?<=[(\[])\s+|_scope_='\w+',?\s*", '', line)
        raise ValueError(f'optim_wrapper.type={kind} needs a GPU: to train on '
                         f'a CPU, set {" ".join(line.split())}')


def enable_scaled_lr(cfg: Config) -> None:
    """Let the Runner scale the learning rate by the batch.

    Raises:
        ValueError: If the config does not set the batch size of its rate.
    """
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise ValueError(
            f'{cfg.filename} does not state the batch size of its learning '
            'rate: add --cfg-options auto_scale_lr.base_batch_size=...')
    cfg.auto_scale_lr.enable = True


def checkpoint_name(checkpoint: str) -> str:
    """Return a name for runs that start from a checkpoint.

    Args:
        checkpoint (str): Path or URL.

    Returns:
        str: Names of its folder and file, such as 'RUN-epoch_200'.
    """
    path = Path(checkpoint)
    return '-'.join(filter(None, (path.parent.name, path.stem)))
