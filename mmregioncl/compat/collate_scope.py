"""Dataloaders inherited from ``_base_ = 'mmselfsup::...'`` cannot be built.

MMEngine 0.10.7 adds ``_scope_`` to every dict of another package's base. Its
Runner passes the key to the collate function, which raises a TypeError for the
unexpected argument.
"""
import functools
from copy import copy
from typing import Union

from mmengine.runner import Runner
from torch.utils.data import DataLoader


def patch() -> None:
    original = Runner.build_dataloader
    if '_scope_' in original.__code__.co_consts:
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

    Runner.build_dataloader = staticmethod(build_dataloader)
