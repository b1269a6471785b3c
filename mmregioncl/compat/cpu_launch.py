"""``--launcher pytorch`` fails on a machine without an accelerator.

MMEngine 0.10.7 selects a CUDA device before it joins the process group, and
passes device ids to DistributedDataParallel, which accepts none for a model on
the CPU. Distributed code could be tried only on GPU machines.
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


def patch() -> None:
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
        backend (str): Backend of the config. 'nccl' does not support CPUs and
            is replaced by 'gloo'.
        **kwargs: Arguments of ``init_process_group``.
    """
    kwargs.pop('init_backend', None)
    distributed.init_process_group('gloo' if backend == 'nccl' else backend,
                                   **kwargs)
    atexit.register(leave_group)


def leave_group() -> None:
    """Destroy the process group at exit.

    Threads of gloo that outlive Python abort a finished run.
    """
    gc.collect()  # a model in a reference cycle keeps the group alive
    if distributed.is_initialized():
        distributed.destroy_process_group()
