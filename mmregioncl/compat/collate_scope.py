"""Dataloaders inherited from ``_base_ = 'mmselfsup::...'`` cannot be built.

MMEngine 0.10.7 adds ``_scope_`` to every dict of another package's base. Its
Runner passes the key to the collate function, which raises a TypeError for the
unexpected argument.
"""
import functools
import inspect
from copy import copy
from typing import Union

from mmengine.runner import Runner
from torch.utils.data import DataLoader


def patch() -> None:
    original = Runner.build_dataloader
    upstream = inspect.unwrap(original).__code__
    if hasattr(original, 'drops_scope') or '_scope_' in upstream.co_consts:
        return

    @functools.wraps(original)
    def build_dataloader(dataloader: Union[DataLoader, dict], *args,
                         **kwargs) -> DataLoader:
        collate_fn = getattr(dataloader, 'get', {}.get)('collate_fn')
        if isinstance(collate_fn, dict) and '_scope_' in collate_fn:
            dataloader = copy(dataloader)
            dataloader['collate_fn'] = {
                key: value
                for key, value in collate_fn.items() if key != '_scope_'
            }
        return original(dataloader, *args, **kwargs)

    build_dataloader.drops_scope = True  # any further wrapper has it, too
    Runner.build_dataloader = staticmethod(build_dataloader)
