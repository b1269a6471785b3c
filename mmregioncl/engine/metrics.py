"""Pass metrics of evaluation hooks to hooks and schedulers that monitor them.

MMEngine gets metrics from a validation loop, which pre-training does not
have. Without this, ``save_best``, early stopping and plateau schedulers would
have no effect.
"""
from typing import Dict, Iterator, List, Optional, Tuple

from mmengine.dist import broadcast_object_list
from mmengine.hooks import (CheckpointHook, EarlyStoppingHook, EMAHook,
                            LoggerHook, ParamSchedulerHook, RuntimeInfoHook)

from .optimizers import plateaus

# Parts of metric names for which higher, or lower, is better. MMEngine knows
# the names of accuracies and losses.
GREATER = ('knn', '/std', 'rankme')
LESS = ('alignment', 'uniformity')
NAME = 'unread_metrics'  # in the message hub, which checkpoints contain
# Hooks that need a validation loop, or get the metrics in another way
OTHERS = (CheckpointHook, EMAHook, LoggerHook, ParamSchedulerHook,
          RuntimeInfoHook)


class Metrics(Dict[str, float]):
    """Metrics of an epoch. Metrics that were not measured are None.

    MMEngine's ``CheckpointHook`` ignores None.
    """

    def __missing__(self, name: str) -> Optional[float]:
        return None


def note_metrics(runner, metrics: Dict[str, float]) -> None:
    """Keep metrics until :func:`publish_metrics`.

    All ranks have to call it. They get the metrics of rank 0, so that they
    make the same decisions.
    """
    shared = [metrics]
    broadcast_object_list(shared)
    known = runner.message_hub.get_info(NAME, {})
    runner.message_hub.update_info(NAME, {**known, **shared[0]})


def publish_metrics(runner) -> None:
    """Pass metrics to hooks and schedulers, after the epoch was counted.

    Checkpoints of the epoch contain the metrics, so that a run that is killed
    before this call makes it after it is resumed.
    """
    metrics = Metrics(runner.message_hub.get_info(NAME, {}))
    if not metrics:
        return
    for scheduler in plateaus(runner):
        if scheduler.monitor in metrics:
            scheduler.step(metrics)
    for hook in runner.hooks:
        missing = isinstance(hook, EarlyStoppingHook) and \
            hook.monitor not in metrics
        if not isinstance(hook, OTHERS) and not missing:
            hook.after_val_epoch(runner, metrics)
    runner.message_hub.update_info(NAME, {})
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):  # after the others have changed
            hook.after_val_epoch(runner, metrics)


def measured(runner) -> List[str]:
    """Return the names of all metrics that the hooks of a run measure."""
    return [
        name for hook in runner.hooks
        for name in getattr(hook, 'metric_names', lambda _: [])(runner)
    ]


def check_name(setting: Tuple[str, str], name: str, known: List[str]) -> None:
    """Reject a setting that names an unknown metric.

    Args:
        setting (tuple[str, str]): Setting and class, such as ('save_best',
            'CheckpointHook').
        name (str): Name of the metric.
        known (list[str]): Names of the metrics of the run.

    Raises:
        ValueError: If `name` is not in `known`.
    """
    if name in known:
        return
    hint = f'use one of {", ".join(dict.fromkeys(known))}' if known else \
        'add OnlineKNNHook or OnlineLinearProbeHook to default_hooks'
    raise ValueError(
        f'{setting[0]}={name!r} of {setting[1]} is not a metric of this '
        f'run: {hint}')


def awaited(runner) -> Iterator[Tuple[Tuple[str, str], str]]:
    """Yield each setting that names a metric, its class, and the metric."""
    for hook in runner.hooks:
        kind = type(hook).__name__
        if isinstance(hook, CheckpointHook):
            for name in hook.save_best or []:
                if name != 'auto' or not measured(runner):
                    yield ('save_best', kind), name
        elif isinstance(hook, EarlyStoppingHook):
            yield ('monitor', kind), hook.monitor
    for scheduler in plateaus(runner):
        yield ('monitor', type(scheduler).__name__), scheduler.monitor
