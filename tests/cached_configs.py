"""Configs of the package, each file read once."""
import functools
from copy import deepcopy
from pathlib import Path
from unittest.mock import patch

from mmengine.config import Config

read_file = functools.cache(Config._file2dict)


@functools.cache
def read(path: Path) -> Config:
    """A config, whose bases are those of others, too."""
    with patch.object(
            Config, '_file2dict',
            lambda *args, **kwargs: deepcopy(read_file(*args, **kwargs))):
        return Config.fromfile(path)


def load(path: Path) -> Config:
    """A config, free to be changed."""
    return deepcopy(read(path))
