"""Read the config of a run, and apply the arguments of the tools to it."""
import re
from pathlib import Path
from typing import Optional, Union

import torch
from mmengine.config import Config

from mmregioncl.datasets.archives import address, is_missing
from mmregioncl.datasets.image_folder import join
from mmregioncl.datasets.nested import innermost_items, type_name
from mmregioncl.files import ARCHIVE, check_exists
from mmregioncl.validation import similar
from .config_checks import (MMENGINE_HOOKS, check_hook_types, check_host,
                            check_imports, check_levels, check_momentum,
                            check_options, check_values, check_variables)
from .config_reading import read_file
from .old_configs import check_old
from .switches import amp_is_slow

# Data sets of the hosts that mistake a path into an archive for a folder
FOLDERS = ('CustomDataset', 'ImageNet', 'ImageNet21k')

# Their settings that name files
DATA = ('ann_file', 'data_prefix', 'data_root')

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
        raise ValueError(f'{path} has no model: name the config of a run')
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
    cfg.merge_from_dict(options or {})
    check_variables(cfg)
    check_host(cfg)
    check_momentum(cfg)
    check_levels(cfg)
    check_hook_types(cfg)
    check_values(cfg)
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
            f'{cfg.filename} does not say for which batch its learning rate '
            'is meant: add --cfg-options auto_scale_lr.base_batch_size=...')
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


def check_data(cfg: Config, *settings: str) -> None:
    """Check that data folders and annotation files exist.

    No data set is built. Remote files, and files that a data set downloads,
    are not checked.

    Args:
        cfg (Config): Config of a run.
        *settings (str): Names of data loaders, such as 'train_dataloader', or
            of dicts of data sets, such as 'eval_datasets'.

    Raises:
        FileNotFoundError: If a folder or file is missing.
        ValueError: If a data root is not valid UTF-8, or is an archive that
            the data set cannot read.
    """
    for setting in filter(cfg.get, settings):
        given = cfg[setting]
        if setting.endswith('dataloader'):
            given = dict(dataset=given.get('dataset', {}))
        for name, dataset in given.items():
            for key, part in innermost_items(f'{setting}.{name}', dataset):
                if not part.get('download'):
                    check_files(key, part)


def check_files(key: str, part: dict) -> None:
    """Check the files of one data set, whose config is at `key`."""
    root = part.get('data_root') or ''
    if not isinstance(root, (str, Path)):
        raise ValueError(
            f'{key}.data_root={root} is no path: for several folders, set '
            f'{key}.type to ConcatDataset, with datasets')
    root = str(root)
    if root != root.encode(errors='replace').decode():
        raise ValueError(f'{key}.data_root={root!r} is not valid UTF-8, as '
                         'configs have to be: name a link to it that is')
    kind = type_name(part)
    if kind in FOLDERS and address(root) == f'{ARCHIVE}{root}':
        raise ValueError(f'{kind} takes {key}.data_root={root!r} for a folder'
                         f': write {ARCHIVE}{root}')
    prefix = part.get('data_prefix') or {}
    names = prefix.values() if isinstance(prefix, dict) else [prefix]
    for name in ('', part.get('ann_file'), *names):
        path = join(root, name) if name else root
        if path and is_missing(path):
            wrong = [
                f'{name} ({meant}?)' for name in part.keys() - {*DATA}
                if (meant := similar(name, DATA, 0.8))
            ]
            remedy = f'correct the name of {wrong[0]}' if wrong else \
                f'link the data there, or set {key}.data_root'
            raise FileNotFoundError(
                f'{key} reads {path}, which is not there: {remedy}')
