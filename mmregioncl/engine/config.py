import inspect
from difflib import get_close_matches
from pathlib import Path
from typing import Optional, Union

from mmengine.config import Config
from mmengine.runner import Runner


def load_config(path: Union[str, Path],
                options: Optional[dict] = None) -> Config:
    """Read a config and override settings of it.

    Args:
        path (str or Path): The config file.
        options (dict, optional): Values by dotted keys, such as
            ``{'train_cfg.max_epochs': 100}``. Defaults to None.

    Raises:
        SystemExit: If a key begins with what is no setting of the config or of
            MMEngine's Runner, which would leave it out without a word.
    """
    cfg = Config.fromfile(path)
    known = {*cfg.keys(), *inspect.signature(Runner.__init__).parameters}
    for key in options or {}:
        name = key.split('.')[0]
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f', did you mean {near[0]}?' if near else ''
            raise SystemExit(f'{key} is no setting of {path}{hint}')
    cfg.merge_from_dict(options or {})
    return cfg
