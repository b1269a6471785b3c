"""Run the first steps of a run, to show what it will do."""
import math
import signal
import time
from tempfile import TemporaryDirectory
from typing import Any, Dict, Iterator, List, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook, LoggerHook
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from mmregioncl.datasets.nested import type_name
from mmregioncl.engine.batches import images_per_batch
from mmregioncl.engine.checks import check_steps
from mmregioncl.engine.messages.quiet import QuietRunner
from mmregioncl.engine.messages.summary import counted, every
from mmregioncl.engine.step_memory import (estimate_step, first_sample,
                                           free_memory, missing_states,
                                           present, readable, views_of)
from mmregioncl.hooks import GuardHook
from mmregioncl.hooks.evaluation_hook import OFF, EvaluationHook
from mmregioncl.hooks.representation_health_hook import (
    PASSES, RepresentationHealthHook)
from mmregioncl.models.utils import RegionSwap, grid_of
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.randomness import kept_draws

STEPS = 3  # the first one allocates memory and is slow
SAMPLES = 8  # images to measure the loading time with
# Where visualization backends write
WRITTEN = dict(
    LocalVisBackend='scalars.json',
    SafeVisBackend='scalars.json',
    TensorboardVisBackend='TensorBoard')


class Finished(Exception):
    """Raised after the last step of a dry run."""


class DryRunHook(Hook):
    """Record what a run does in its first steps, then end it.

    Attributes:
        lines (dict[str, str]): Lines to print, by their titles.
    """
    priority = 'VERY_LOW'  # after other hooks

    def __init__(self) -> None:
        self.lines: Dict[str, str] = {}
        self.times: List[float] = []
        self.handle: Any = None
        # Feature maps, and size of the images
        self.seen: Optional[tuple] = None

    def before_run(self, runner) -> None:
        """Announce what comes before the first step."""
        views = sum(PASSES * hook.first_count(runner) for hook in runner.hooks
                    if isinstance(hook, RepresentationHealthHook))
        announce(f'checking settings, {len(runner.train_dataloader.dataset):,}'
                 ' images and the first step' +
                 f'; embedding {views:,} views' * (views > 0))

    def before_train(self, runner) -> None:
        """Let signals end the process: there is nothing to write."""
        check_steps(runner)  # as RunSummaryHook does
        for hook in runner.hooks:
            for number, handler in getattr(hook, 'handlers', {}).items():
                signal.signal(number, handler)

    def before_train_epoch(self, runner) -> None:
        """Record weights and memory, and register a hook on the backbone.

        All checks have run by now. Checkpoint hooks are removed, since they
        may write, and delete, outside the work dir.
        """
        runner._hooks = [
            part for part in runner.hooks
            if not isinstance(part, CheckpointHook)
        ]
        model = unwrap(runner.model)
        learned, all_weights = (
            sum(map(Tensor.numel, part)) for part in
            ([weight for weight in model.parameters()
              if weight.requires_grad], model.parameters()))
        self.lines['weights'] = (
            f'{learned:,} learned, {all_weights - learned:,} frozen or in a '
            'moving average')
        self.lines['memory'] = memory_of(runner)
        if hasattr(model, 'backbone'):
            self.handle = model.backbone.register_forward_hook(self.note_map)
        steps = min(STEPS, pass_length(runner))
        announce(f'making {counted(steps, "step")} of '
                 f'{images_per_batch(runner.train_dataloader)} images on '
                 f'{next(model.parameters()).device.type}')

    def note_map(self, module: nn.Module, images: tuple, outputs) -> None:
        """Record the first feature map of the backbone."""
        self.handle.remove()
        shapes = [tuple(part.shape) for part in tree_leaves(outputs)]
        self.lines['backbone'] = (f'{tuple(images[0].shape)} to '
                                  f'{", ".join(map(str, shapes))}')
        self.seen = outputs, images[0].shape[-2:]

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Record the first batch, and start the timer."""
        shapes = [
            tuple(part.shape) for part in tree_leaves(data_batch['inputs'])
        ]
        self.lines.setdefault(
            'batch', f'{len(shapes)} tensors of {shapes[0]} from '
            f'{len(runner.train_dataloader.dataset):,} images')
        self.start = time.perf_counter()

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs: Optional[dict] = None) -> None:
        """Stop the timer, and end the run after the last step."""
        losses = {
            name: float(value.detach())
            for name, value in outputs.items() if torch.is_tensor(value)
        }  # waits for the device
        self.times.append(time.perf_counter() - self.start)
        if len(self.times) == 1:
            self.lines['losses'] = ', '.join(f'{name} {value:.4g}'
                                             for name, value in losses.items())
            if self.seen:
                self.lines.update(regions_of(unwrap(runner.model), *self.seen))
        if len(self.times) == min(STEPS, pass_length(runner)):
            self.lines.update(time_of(runner, self.times))
            raise Finished


def announce(part: str) -> None:
    """Print what comes next, since it may take a while."""
    if is_main_process():
        print(f'{part} ...', flush=True)


def pass_length(runner) -> float:
    """Steps of a pass over the data, inf if it has no full batch."""
    return len(runner.train_dataloader) or math.inf


def memory_of(runner) -> str:
    """Estimated memory of a step, and free memory."""
    seen = [hook.views for hook in runner.hooks if isinstance(hook, GuardHook)]
    views = seen[0] if seen else views_of(runner, first_sample(runner))
    free = free_memory(next(runner.model.parameters()).device)
    there = 'unknown' if free is None else readable(free)
    try:
        need = estimate_step(runner, views,
                             images_per_batch(runner.train_dataloader))
    except Exception:  # no views, or a step that reads values
        return f'a step cannot be estimated for this model; free: {there}'
    return (f'about {readable(need)} in a step, '
            f'{readable(present(runner))} in use now; free: {there}')


def regions_of(model: nn.Module, outputs: tuple,
               size: Tuple[int, int]) -> Dict[str, str]:
    """Sides of the regions, if the model swaps any."""
    swap = getattr(model, 'region_swap', None)
    if not isinstance(swap, RegionSwap):
        return {}
    grid = grid_of(outputs)
    swap = swap.fit(grid, size)
    return dict(
        regions=f'sides of {swap.size[0]} to {swap.size[1]} cells of '
        f'{swap.stride} pixels, on a grid of {grid[0]}x{grid[1]} cells')


def time_of(runner, times: List[float]) -> Dict[str, str]:
    """Number of steps, and their time to load and to compute."""
    loader = runner.train_dataloader
    step = min(times[1:] or times)
    count = min(SAMPLES, len(loader.dataset))
    announce(f'loading {count} images')
    start = time.perf_counter()
    with kept_draws():
        for index in range(count):
            loader.dataset[index]
    load = (time.perf_counter() - start) / count * images_per_batch(
        runner.train_dataloader)
    load /= max(1, loader.num_workers)
    both = max(step, load) if loader.num_workers else step + load
    length = min(pass_length(runner), runner.max_iters)
    return dict(
        steps=f'{length:,} in an epoch, {runner.max_iters:,} in all, on '
        f'{runner.world_size} process(es)',
        time=f'{step:.3g} s to compute a step and {load:.3g} s to load it: '
        f'{duration(length * both)} for an epoch and '
        f'{duration(runner.max_iters * both)} for all, without evaluations')


def duration(seconds: float) -> str:
    """Format a time in a suitable unit."""
    for unit, length in (('days', 86400), ('h', 3600), ('min', 60)):
        if seconds >= 2 * length:
            return f'{seconds / length:.3g} {unit}'
    return f'{seconds:.3g} s'


def log_of(runner, hook: LoggerHook, backends: List[dict]) -> str:
    """When losses are logged, and where."""
    length = pass_length(runner)
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    # MMEngine logs by the step within the epoch. An iteration-based loop
    # counts the steps of the run, and its loader ends once.
    steps = length if by_epoch else runner.max_iters
    times = [every(hook.interval, 'step')] * (hook.interval <= steps)
    if length <= steps and (not hook.ignore_last or length <= hook.interval):
        times.append(
            'at the end of each epoch' if by_epoch else f'after step {length}')
    if not times:
        return 'never'
    *most, last = 'terminal', 'log file', *(
        WRITTEN.get(kind, kind) for kind in map(type_name, backends))
    return f'{" and ".join(times)}, to {", ".join(most)} and {last}'


def plan_of(runner, hooks: List[Hook], backends: List[dict]) -> Dict[str, str]:
    """When the run logs, writes checkpoints and evaluates."""
    lines: Dict[str, str] = {}
    loaded = [getattr(hook, 'loaded', None) for hook in hooks]
    lines['loaded'] = '; '.join(filter(None, loaded)) or 'no checkpoint'
    size = present(runner) + missing_states(runner)
    evaluations = []
    for hook in hooks:
        if isinstance(hook, LoggerHook):
            lines['log'] = log_of(runner, hook, backends)
        elif isinstance(hook, CheckpointHook):
            unit = 'epoch' if hook.by_epoch else 'step'
            pause = getattr(hook, 'pause', math.inf)
            lines['checkpoints'] = every(hook.interval, unit) + (
                f' and {pause / 60:g} minutes'
                if pause < math.inf else '') + f', {readable(size)} each'
        elif isinstance(hook, EvaluationHook) and hook.interval != OFF:
            epochs = hook.epochs_between(runner)
            when = every(epochs, 'epoch') if epochs < runner.max_epochs \
                else 'after the last epoch'
            evaluations.append(f'{type(hook).__name__} {when}')
    if runner._val_loop is not None:
        unit = 'epoch' if isinstance(runner.train_loop,
                                     EpochBasedTrainLoop) else 'step'
        evaluations.append(
            f'validation {every(runner.train_loop.val_interval, unit)}')
    lines['evaluations'] = ', '.join(evaluations) or 'none'
    return lines


def dry_run(cfg: Config) -> Iterator[str]:
    """Make the first steps of a run without writing anything.

    Args:
        cfg (Config): Config of a run.

    Returns:
        Iterator[str]: Lines to print: shapes, regions, weights, memory, steps
        and time, and when the run logs, evaluates and writes checkpoints. Only
        the first process yields any.
    """
    work_dir, hook = cfg.work_dir, DryRunHook()
    backends = []
    if cfg.get('visualizer'):
        backends = cfg.visualizer.get('vis_backends') or []
        cfg.visualizer.vis_backends = None
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        cfg.update(work_dir=folder, log_level='WARNING')
        announce(f'building {type_name(cfg.model)} and its data sets')
        runner = QuietRunner.from_cfg(cfg)
        runner.register_hook(hook)
        hooks = runner.hooks
        try:
            runner.train()
        except Finished:
            pass
    hook.lines.update(plan_of(runner, hooks, backends))
    if is_main_process():
        hook.lines['work dir'] = f'{work_dir}, where nothing was written'
        yield from (f'{name:12} {line}' for name, line in hook.lines.items())
