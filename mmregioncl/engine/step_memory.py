"""Estimate the memory of a training step, and measure free memory."""
import weakref
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import torch
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from torch import Tensor, distributed, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from mmregioncl.models.parents import BaseModel
from mmregioncl.models.utils import preprocess
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.randomness import kept_draws
from .launch import local_processes
from .optimizers import AutocastOptimWrapper, parts_of


class Meter(TorchDispatchMode):
    """Count the bytes of all storages that operators allocate."""

    def __init__(self) -> None:
        super().__init__()
        self.known = WeakIdKeyDictionary()
        self.held = self.peak = 0

    def note(self, value) -> None:
        """Count a storage until it is freed."""
        if not isinstance(value, Tensor):
            return
        storage = value.untyped_storage()
        if storage not in self.known:
            self.known[storage] = size = storage.nbytes()
            self.held += size
            weakref.finalize(storage, self.release, size).atexit = False

    def release(self, size: int) -> None:
        self.held -= size

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            self.note(value)
        self.peak = max(self.peak, self.held)
        return result


def readable(size: float) -> str:
    """A number of bytes for people, such as '1.50 GiB' or '0.7 MiB'."""
    return f'{size / 2**30:.2f} GiB' if size >= 2**30 else \
        f'{size / 2**20:.1f} MiB'


def first_sample(runner) -> dict:
    """Load the first image of the training set.

    The random state does not change.
    """
    with kept_draws():
        return runner.train_dataloader.dataset[0]


def views_of(runner, sample: dict) -> Optional[List[Tensor]]:
    """Return the views of an image as the model receives them.

    Returns:
        list[Tensor] or None: Shape (1, C, H, W) each. None if the model is no
        pre-training algorithm.

    Raises:
        ValueError: If the pipeline does not pack views.
    """
    model = unwrap(runner.model)
    if not isinstance(model, BaseModel):
        return None
    if not isinstance(sample, dict) or 'inputs' not in sample:
        raise ValueError(
            'the pipeline of train_dataloader does not pack views for the '
            'model: append mmregioncl.PackSelfSupInputs')
    with torch.no_grad():
        batch = runner.train_dataloader.collate_fn([sample])
        return list(preprocess(model.data_preprocessor, batch)[0])


def estimate_step(runner, views: List[Tensor], batch: int) -> int:
    """Estimate the memory of a step on one process.

    The step runs on a copy of the model with meta tensors, without computing
    anything. The estimate contains weights, moving averages, gradients, states
    of the optimizer, and all tensors that are saved for the backward pass or
    created in it. It does not contain workspaces of convolutions and the
    context of a GPU.

    Args:
        runner (Runner): The run.
        views (list[Tensor]): Result of :func:`views_of`.
        batch (int): Number of images.

    Returns:
        int: Bytes at the peak.

    Raises:
        Exception: Any error of the model, which may need the values of
            tensors.
    """
    model = unwrap(runner.model)
    dtype = autocast_dtype(runner.optim_wrapper, views[0].device)
    empty = empty_copy(model, dtype)
    inputs = [empty_batch(view, batch, dtype) for view in views]
    with kept_draws(), alone(), Meter() as meter:
        sum(value for name, value in empty.loss(inputs, []).items()
            if 'loss' in name).backward()
    learning = size_of(weight for weight in model.parameters()
                       if weight.requires_grad)
    total = meter.peak + present(runner) + missing_states(runner)
    total += size_of(inputs)
    if dtype is not None:  # gradients in full precision, weights in half
        total += learning
    if runner.model is not model:  # DistributedDataParallel's buckets
        total += learning
    return total


def rehearse(model: nn.Module, views: List[Tensor], batch: int) -> Any:
    """Run the forward passes of a step with meta tensors.

    The copy of the model is in eval mode, which takes half the time.

    Args:
        model (nn.Module): A pre-training algorithm.
        views (list[Tensor]): Result of :func:`views_of`.
        batch (int): Number of images.

    Returns:
        Any: Output of the first call of the backbone.

    Raises:
        Exception: Any error of the model, which may need the values of
            tensors.
    """
    empty, made = empty_copy(model, None).eval(), []
    empty.backbone.register_forward_hook(
        lambda module, images, outputs: made.append(outputs))
    with kept_draws(), alone(), torch.no_grad():
        empty.loss([empty_batch(view, batch, None) for view in views], [])
    return made[0]


def empty_batch(view: Tensor, batch: int,
                dtype: Optional[torch.dtype]) -> Tensor:
    """Return a batch of views on the meta device."""
    return view.new_empty((batch, *view.shape[1:]), dtype=dtype, device='meta')


def autocast_dtype(wrapper, device: torch.device) -> Optional[torch.dtype]:
    """Return the type of autocast, None without autocast."""
    if isinstance(wrapper, AutocastOptimWrapper):
        return torch.bfloat16
    if isinstance(wrapper, AmpOptimWrapper):
        return wrapper.cast_dtype or torch.get_autocast_dtype(device.type)
    return None


def empty_copy(model: nn.Module, dtype: Optional[torch.dtype]) -> nn.Module:
    """Copy a model to the meta device.

    Integer tensors, such as step counters, keep their values. The copy does
    not update queues, and does not call hooks of the run.

    Args:
        model (nn.Module): Any model.
        dtype (torch.dtype, optional): Type of the weights of the copy. None
            keeps the type.
    """
    memo: Dict[int, object] = {}  # replacements in the copy, by id
    for value in (*model.parameters(), *model.buffers()):
        if value.is_floating_point():
            copied = value.detach().to('meta', dtype)
            memo[id(value)] = nn.Parameter(copied, value.requires_grad) \
                if isinstance(value, nn.Parameter) else copied
    for module in model.modules():
        for listeners in (module._forward_hooks, module._forward_pre_hooks):
            for listener in listeners.values():
                owner = getattr(listener, '__self__', None)
                if isinstance(owner, Hook):
                    memo[id(listener)] = ignore
    empty = deepcopy(model, memo)
    for name in ('_dequeue_and_enqueue', '_dequeue_and_enqueue2'):
        if hasattr(empty, name):
            setattr(empty, name, ignore)
    return empty


def ignore(*args, **kwargs) -> None:
    """Do nothing, instead of another function."""


@contextmanager
def alone() -> Iterator[None]:
    """Pretend that there is only one process."""
    joined = distributed.is_initialized
    distributed.is_initialized = lambda: False
    try:
        yield
    finally:
        distributed.is_initialized = joined


def size_of(values) -> int:
    """Bytes of all tensors in nested containers."""
    return sum(
        value.nbytes for value in tree_leaves([*values])
        if isinstance(value, Tensor))


def present(runner) -> int:
    """Bytes in use before a step: weights, and states if resumed."""
    model = unwrap(runner.model)
    states = [
        part.optimizer.state.values()
        for part in parts_of(runner.optim_wrapper)
    ]
    return size_of((*model.parameters(), *model.buffers())) + sum(
        size_of(part) for part in states)


def missing_states(runner) -> int:
    """Bytes of the states that an optimizer creates in its first step.

    Optimizers with betas, such as Adam, keep two values for each weight, and
    optimizers with momentum one.
    """
    total = 0
    for part in parts_of(runner.optim_wrapper):
        for group in part.optimizer.param_groups:
            copies = 2 + bool(group.get('amsgrad')) if 'betas' in group \
                else int(bool(group.get('momentum')))
            total += copies * size_of(weight for weight in group['params']
                                      if weight.requires_grad
                                      and not part.optimizer.state.get(weight))
    return total


def free_memory(device: torch.device) -> Optional[int]:
    """Bytes that this process can allocate, None if unknown.

    On a CPU, the processes of a machine share its memory.

    Args:
        device (torch.device): Device of the model.
    """
    if device.type == 'cuda':
        kept = torch.cuda.memory_reserved(device)
        return torch.cuda.mem_get_info(device)[0] + kept - \
            torch.cuda.memory_allocated(device)
    if device.type != 'cpu':
        return None
    rooms = [*host_room(), *group_room()]
    return min(rooms) // local_processes() if rooms else None


def host_room(path: str = '/proc/meminfo') -> Iterator[int]:
    """Bytes that Linux can provide without swapping."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith('MemAvailable:'):
            yield int(line.split()[1]) * 1024


def group_room(groups: str = '/proc/self/cgroup',
               root: str = '/sys/fs/cgroup') -> Iterator[int]:
    """Bytes below each memory limit of a container or job.

    Reads versions 1 and 2 of cgroups. Cached files count as free.
    """
    try:
        lines = Path(groups).read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, name = line.split(':', 2)
        base, names = Path(root), ('memory.max', 'memory.current',
                                   'inactive_file')
        if 'memory' in controllers.split(','):
            base, names = base / 'memory', ('memory.limit_in_bytes',
                                            'memory.usage_in_bytes',
                                            'total_inactive_file')
        elif controllers:
            continue
        place = base / name.lstrip('/')
        # In a container, the folder may not exist.
        for folder in {base, place, *place.parents}:
            try:
                limit, used = (
                    int((folder / part).read_text()) for part in names[:2])
                stat = dict(line.split()
                            for line in (folder /
                                         'memory.stat').read_text().split('\n')
                            if line)
            except (OSError, ValueError):  # no such folder, or no limit
                continue
            yield limit - used + int(stat.get(names[2], 0))
