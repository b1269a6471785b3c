"""Configs of the package, each read once."""
import functools
from copy import deepcopy
from pathlib import Path

from mmengine.config import Config

read = functools.cache(Config.fromfile)


def load(path: Path) -> Config:
    """A config, free to be changed."""
    return deepcopy(read(path))
