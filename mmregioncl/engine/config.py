import inspect
import os
from difflib import get_close_matches
from pathlib import Path
from typing import Iterator, Optional, Tuple, Union

from mmengine.config import Config
from mmengine.runner import Runner

# What Runner reads of a config besides its own arguments, and our tools
ALSO_READ = ('activation_checkpointing', 'compile', 'efficient_conv_bn_eval',
             'find_unused_parameters', 'eval_datasets', 'model_wrapper_cfg',
             'sync_bn')


def check_lists(cfg: dict, key: str) -> None:
    """Refuse a dotted key that looks for a name in a list."""
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


def load_config(path: Union[str, Path],
                options: Optional[dict] = None) -> Config:
    """Read a config and override settings of it.

    Args:
        path (str or Path): The config file.
        options (dict, optional): Values by dotted keys, such as
            ``{'train_cfg.max_epochs': 100}``. Defaults to None.

    Raises:
        ValueError: If a key begins with a name that nothing reads, which
            MMEngine would accept without a word, or names no entry of a list.
    """
    cfg = Config.fromfile(path)
    known = {*inspect.signature(Runner.__init__).parameters, *ALSO_READ}
    for key in options or {}:
        name = key.split('.')[0]
        if name in known:
            check_lists(cfg._cfg_dict, key)
            continue
        if name in cfg:
            raise ValueError(
                f'{key} has no effect once {path} was read: override where it '
                f'is used, such as train_dataloader.dataset.{key}')
        near = get_close_matches(name, known, n=1)
        hint = f', did you mean {near[0]}?' if near else ''
        raise ValueError(f'{key} is no setting{hint}')
    cfg.merge_from_dict(options or {})
    return cfg


def set_pretrained(cfg: Config, checkpoint: str) -> None:
    """Name the checkpoint that a config fine-tunes.

    Args:
        cfg (Config): With a ``PretrainedHook``, ``default_hooks.pretrained``.
        checkpoint (str): File or address, or 'none' for random weights.

    Raises:
        ValueError: If the config does not fine-tune.
    """
    hook = cfg.get('default_hooks', {}).get('pretrained')
    if hook is None:
        raise ValueError(
            f'{cfg.filename} has no default_hooks.pretrained to take '
            '--pretrained: choose a config of configs/benchmarks, or load '
            'a checkpoint of the same model by --cfg-options load_from=...')
    hook.checkpoint = checkpoint


def checkpoint_name(checkpoint: str) -> str:
    """A name for a checkpoint's runs: ``RUN-epoch_200`` for its path.

    Args:
        checkpoint (str): Path or address.
    """
    path = Path(checkpoint)
    return '-'.join(filter(None, (path.parent.name, path.stem)))


def check_data(cfg: Config, *loaders: str) -> None:
    """Refuse data folders and annotation files that are not there.

    Before anything is built or written. Remote ones are not looked for.

    Args:
        cfg (Config): Of a run.
        *loaders (str): Such as ``train_dataloader``.

    Raises:
        FileNotFoundError: If one is missing.
    """
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        for place, part in innermost_configs(f'{loader}.dataset', dataset):
            root = part.get('data_root') or ''
            prefix = part.get('data_prefix') or {}
            names = prefix.values() if isinstance(prefix, dict) else [prefix]
            for name in ('', part.get('ann_file'), *names):
                path = os.path.join(root, name) if name else root
                if path and '://' not in path and not os.path.exists(
                        os.path.expanduser(path)):
                    raise FileNotFoundError(
                        f'{place} reads {path}, which is not there: link the '
                        f'data there, or set {place}.data_root')


def innermost_configs(place: str, dataset) -> Iterator[Tuple[str, dict]]:
    """Data sets inside wrappers, with their dotted keys."""
    if not isinstance(dataset, dict):
        return
    if 'datasets' in dataset:
        for number, part in enumerate(dataset['datasets']):
            yield from innermost_configs(f'{place}.datasets.{number}', part)
    elif 'dataset' in dataset:
        yield from innermost_configs(f'{place}.dataset', dataset['dataset'])
    else:
        yield place, dataset
