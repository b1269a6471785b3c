import inspect
from difflib import get_close_matches
from pathlib import Path
from typing import Optional, Union

from mmengine.config import Config
from mmengine.runner import Runner

# What Runner reads of a config besides its own arguments, and our tools
ALSO_READ = ('activation_checkpointing', 'compile', 'efficient_conv_bn_eval',
             'find_unused_parameters', 'knn_datasets', 'model_wrapper_cfg',
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
        FileNotFoundError: If there is no such file.
    """
    if 'pretrained' not in cfg.default_hooks:
        raise ValueError(
            f'{cfg.filename} has no default_hooks.pretrained to take '
            '--pretrained: choose a config of configs/benchmarks, or load '
            'a checkpoint of the same model by --cfg-options load_from=...')
    if not (checkpoint == 'none' or '://' in checkpoint
            or Path(checkpoint).is_file()):
        raise FileNotFoundError(f'--pretrained: there is no {checkpoint}')
    cfg.default_hooks.pretrained.checkpoint = checkpoint


def checkpoint_name(checkpoint: str) -> str:
    """A name for a checkpoint's runs: ``RUN-epoch_200`` for its path.

    Args:
        checkpoint (str): Path or address.
    """
    path = Path(checkpoint)
    return '-'.join(filter(None, (path.parent.name, path.stem)))


def check_data(cfg: Config) -> None:
    """Refuse data folders and annotation files that are not there.

    Before anything is built or written. Remote ones are not looked for.

    Args:
        cfg (Config): Of a run.

    Raises:
        FileNotFoundError: If one is missing.
    """
    for loader in ('train_dataloader', 'val_dataloader'):
        datasets = [(cfg.get(loader) or {}).get('dataset')]
        for dataset in datasets:  # grows by those that are in others
            if not isinstance(dataset, dict):
                continue
            datasets += [dataset.get('dataset'), *dataset.get('datasets', [])]
            root = dataset.get('data_root') or ''
            ann_file = dataset.get('ann_file') or ''
            if not isinstance(ann_file, str) or '://' in root + ann_file:
                continue
            for path in filter(None,
                               (root, ann_file and Path(root, ann_file))):
                if not Path(path).exists():
                    raise FileNotFoundError(
                        f'{loader} reads {path}, which is not there: link the '
                        f'data there, or set {loader}.dataset.data_root')
