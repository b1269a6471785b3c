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
