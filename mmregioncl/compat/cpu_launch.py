"""``--launcher pytorch`` dies on a machine without an accelerator.

MMEngine 0.10.7 selects a CUDA device before it joins the process group, and
hands device ids to DistributedDataParallel, which takes none for a model on
the CPU. Distributed code can then be tried out on a GPU machine only.
"""
import atexit
import functools
import gc
from typing import Optional

from mmengine.device import get_device
from mmengine.dist import utils
from mmengine.model import MMDistributedDataParallel
from torch import distributed

from .substitute import substitute


def mend() -> None:
    selects = 'set_device' in utils._init_dist_pytorch.__code__.co_names
    if get_device() != 'cpu' or not selects:
        return
    substitute(utils._init_dist_pytorch, init_dist_on_cpu)

    original = MMDistributedDataParallel.__init__

    @functools.wraps(original)
    def __init__(self,
                 module,
                 *args,
                 device_ids: Optional[list] = None,
                 **kwargs) -> None:
        original(self, module, *args, **kwargs)

    MMDistributedDataParallel.__init__ = __init__


def init_dist_on_cpu(backend: str = 'gloo', **kwargs) -> None:
    """Join the process group that torchrun describes in the environment.

    Args:
        backend (str): That of the config; 'nccl', which has no CPU, is taken
            as 'gloo'.
        **kwargs: Arguments of ``init_process_group``.
    """
    kwargs.pop('init_backend', None)
    distributed.init_process_group('gloo' if backend == 'nccl' else backend,
                                   **kwargs)
    atexit.register(leave_group)


def leave_group() -> None:
    """End gloo's threads: one that outlives Python aborts a finished run."""
    gc.collect()  # a model in a cycle of references holds the group
    if distributed.is_initialized():
        distributed.destroy_process_group()
