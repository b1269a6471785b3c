"""What hooks measure between epochs, for hooks that act on metrics.

MMEngine's hooks get metrics from validation loops. Pre-training has none, so
that checkpoint hooks with ``save_best``, early stopping and schedules with a
plateau would wait for ever.
"""
from typing import Dict, Iterator, List, Optional, Tuple

from mmengine.dist import broadcast_object_list
from mmengine.hooks import (CheckpointHook, EarlyStoppingHook, EMAHook,
                            LoggerHook, ParamSchedulerHook, RuntimeInfoHook)

# What is better of the metrics of evaluation hooks, by parts of their names.
# MMEngine knows that of accuracies and losses.
GREATER = ('knn', '/std', 'rankme')
LESS = ('alignment', 'uniformity')
NAME = 'unread_metrics'  # in the message hub, which checkpoints hold
# Hooks that need a validation loop, or are served otherwise
OTHERS = (CheckpointHook, EMAHook, LoggerHook, ParamSchedulerHook,
          RuntimeInfoHook)


class Metrics(Dict[str, float]):
    """Metrics of an epoch, where the others are None.

    MMEngine's ``CheckpointHook`` takes None as not measured.
    """

    def __missing__(self, name: str) -> Optional[float]:
        return None


def note_metrics(runner, metrics: Dict[str, float]) -> None:
    """Keep metrics until :func:`publish_metrics`; all ranks have to call it.

    All ranks get those of rank 0, so that they decide the same.
    """
    shared = [metrics]
    broadcast_object_list(shared)
    known = runner.message_hub.get_info(NAME, {})
    runner.message_hub.update_info(NAME, {**known, **shared[0]})


def publish_metrics(runner) -> None:
    """Hand metrics to hooks and schedules, after the epoch was counted.

    A run that is killed before this is done makes up for it when it is
    resumed: checkpoints of that epoch hold the metrics.
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
        if isinstance(hook, CheckpointHook):  # which writes what is known now
            hook.after_val_epoch(runner, metrics)


def measured(runner) -> List[str]:
    """Names of all metrics that hooks of a run measure."""
    return [
        name for hook in runner.hooks
        for name in getattr(hook, 'metric_names', lambda _: [])(runner)
    ]


def check_name(setting: str, name: str, known: List[str]) -> None:
    """Refuse a setting that names a metric which is not measured.

    Args:
        setting (str): Such as 'save_best of CheckpointHook'.
        name (str): The metric.
        known (list[str]): Those of the run.

    Raises:
        ValueError: If it is not among them.
    """
    if name in known:
        return
    hint = f'name one of {", ".join(dict.fromkeys(known))}' if known else \
        'add OnlineKNNHook or OnlineLinearProbeHook to default_hooks'
    raise ValueError(f'{name!r} in {setting} is no metric that this run '
                     f'measures: {hint}')


def awaited(runner) -> Iterator[Tuple[str, str]]:
    """Yield settings that name a metric, and the metric."""
    for hook in runner.hooks:
        kind = type(hook).__name__
        if isinstance(hook, CheckpointHook):
            for name in hook.save_best or []:
                if name != 'auto' or not measured(runner):
                    yield f'save_best of {kind}', name
        elif isinstance(hook, EarlyStoppingHook):
            yield f'monitor of {kind}', hook.monitor
    for scheduler in plateaus(runner):
        yield f'monitor of {type(scheduler).__name__}', scheduler.monitor


def plateaus(runner) -> list:
    """Schedulers that wait for a metric."""
    return [
        part for part in all_schedulers(runner)
        if getattr(part, 'need_val_args', False)
    ]


def all_schedulers(runner) -> list:
    """The schedulers of all optimizers."""
    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, dict):  # by optimizer
        schedulers = sum(schedulers.values(), [])
    return schedulers
