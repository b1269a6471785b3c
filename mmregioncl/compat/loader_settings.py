"""``num_workers=0``, the first thing to try when debugging, is refused.

PyTorch 2.14 raises an error for settings of workers where there are none:
``persistent_workers`` (of nearly all configs), ``prefetch_factor``,
``timeout`` and ``multiprocessing_context``. It warns of ``pin_memory`` where
no device could read the pinned memory. MMEngine 0.10.7 passes them on.
"""
import functools
from typing import Union

from mmengine.device import get_device
from mmengine.runner import Runner
from torch.utils.data import DataLoader

OF_WORKERS = ('persistent_workers', 'prefetch_factor', 'timeout',
              'multiprocessing_context')


def patch() -> None:
    original = Runner.build_dataloader
    if hasattr(original, 'drops_settings'):
        return

    @functools.wraps(original)
    def build_dataloader(dataloader: Union[DataLoader, dict], *args,
                         **kwargs) -> DataLoader:
        if isinstance(dataloader, dict):
            idle = () if dataloader.get('num_workers') else OF_WORKERS
            if get_device() in ('cpu', 'mps'):
                idle += ('pin_memory', )
            dataloader = type(dataloader)({
                key: value
                for key, value in dataloader.items() if key not in idle
            })
        return original(dataloader, *args, **kwargs)

    build_dataloader.drops_settings = True  # any further wrapper has it, too
    Runner.build_dataloader = staticmethod(build_dataloader)
