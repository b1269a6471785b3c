"""Check that schedules and hooks fit the length of the run."""
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook
from mmengine.optim import ConstantParamScheduler
from mmengine.optim.scheduler.param_scheduler import INF
from mmengine.runner import EpochBasedTrainLoop

from mmregioncl import host
from ..metrics import GREATER, LESS, awaited, check_name, measured
from ..optimizers import all_schedulers, parts_of, plateaus

# Arguments of schedulers for the steps between `begin` and `end`
SPANS = ('T_max', 'total_steps')


def check_schedule(runner) -> None:
    """Warn if the learning rate schedule does not end with the run.

    Raises:
        ValueError: If a schedule would stop the run with an error, or keep
            the learning rate of a warm-up.
    """
    for scheduler in all_schedulers(runner):
        setting = length_setting(scheduler)
        total = getattr(runner, setting)
        end = end_of(scheduler, total)
        if hasattr(scheduler, 'total_steps') and end < min(
                total, scheduler.end):
            raise ValueError(
                f'total_steps={scheduler.total_steps} of '
                f'{type(scheduler).__name__} is shorter than the run: set it'
                f' to {total - scheduler.begin}')
        never = [
            step for step in getattr(scheduler, 'milestones', {})
            if scheduler.begin + step >= total
        ]
        if never:
            runner.logger.warning(
                f'milestones={never} of {type(scheduler).__name__} come after '
                f'the end of the run: set them below train_cfg.{setting}')
        if warms_up(scheduler) and scheduler.end - scheduler.begin == 1 and \
                total > scheduler.end:
            raise ValueError(
                f'{type(scheduler).__name__} from begin={scheduler.begin} to '
                f'end={scheduler.end} is never undone, since a warm-up of one '
                'step has no end: set convert_to_iter_based=True, or a later '
                'end')
    last = last_schedule(runner)
    if last is None:
        return
    setting = length_setting(last)
    total = getattr(runner, setting)
    if ends_elsewhere(last, total):
        spans = [name for name in (*SPANS, 'periods') if hasattr(last, name)]
        runner.logger.warning(
            f'the learning rate is scheduled for {end_of(last, total)} of '
            f'{total} {setting[4:]}: set {" and ".join([*spans, "end"])} of '
            f'{type(last).__name__} to train_cfg.{setting}')


def check_updates(runner) -> None:
    """Check that the weights are updated at least once.

    Raises:
        ValueError: If a run ends before its first update.
    """
    for part in parts_of(runner.optim_wrapper):
        counts = getattr(part, '_accumulative_counts', 1)
        if counts > runner.max_iters:
            raise ValueError(
                f'optim_wrapper.accumulative_counts={counts} exceeds the '
                f'{runner.max_iters} steps of the run: lower it, or train '
                'longer')


def length_setting(scheduler) -> str:
    """Setting of the length of a run, in the unit of a schedule."""
    return 'max_epochs' if scheduler.by_epoch else 'max_iters'


def end_of(scheduler, total: float) -> int:
    """Return the step at which a schedule ends, in a run of `total` steps.

    A cosine would rise again after T_max, and stay where it is after `end`.
    Many configs set T_max to the length of the run although there is a
    warm-up, which is accepted.
    """
    begin, end = scheduler.begin, scheduler.end
    spans = [getattr(scheduler, name, None) for name in SPANS]
    spans.append(sum(getattr(scheduler, 'periods', [])) or None)
    for span in spans:
        if span is not None and not end - begin <= span <= end:
            # MMEngine sets `end` to the length of the run if it is not given.
            return begin + span if end >= total else min(begin + span, end)
    return end


def last_schedule(runner):
    """The scheduler that ends last; None if there is none."""
    length = len(runner.train_dataloader)
    return max(
        reversed(all_schedulers(runner)),
        key=lambda part: end_of(part, 0) * (length if part.by_epoch else 1),
        default=None)


def ends_elsewhere(scheduler, total: int) -> bool:
    """Whether a schedule does not end with a run of some epochs, or steps.

    A warm-up may end earlier: it ends at the rate of the optimizer.
    """
    end = end_of(scheduler, total)
    return total < end < INF or end < total and not warms_up(scheduler)


def warms_up(scheduler) -> bool:
    """Whether a schedule ends at the rate of the optimizer."""
    return isinstance(scheduler, ConstantParamScheduler) or getattr(
        scheduler, 'end_factor', None) == 1


def check_metrics(runner) -> None:
    """Check that every monitored metric is logged.

    The metrics of validation loops and of users' hooks are not known before
    training. Warns if early stopping is late, or loses its state when the run
    is resumed.

    Raises:
        ValueError: If a metric is not logged.
    """
    if runner.val_loop is None and not any(map(measures_itself, runner.hooks)):
        for setting, name in awaited(runner):
            check_name(setting, name, measured(runner))
    for scheduler in plateaus(runner):
        name, rule = scheduler.monitor, scheduler.rule
        better = 'greater' if any(
            part in name for part in (*GREATER, 'accuracy')) else 'less' if \
            any(part in name for part in (*LESS, 'loss')) else rule
        if rule != better:
            raise ValueError(
                f'rule={rule!r} of {type(scheduler).__name__} treats a '
                f'{"lower" if rule == "less" else "higher"} {name} as better: '
                f'set it to {better!r}')
    for hook in runner.hooks:
        if type(hook) is EarlyStoppingHook:
            runner.logger.warning(
                "MMEngine's EarlyStoppingHook forgets its patience when a run "
                'is resumed: set its type to mmregioncl.EarlyStoppingHook')
        if isinstance(hook, EarlyStoppingHook) and \
                hook.monitor in measured(runner) and \
                type(runner.train_loop) is EpochBasedTrainLoop:
            runner.logger.warning(
                f'{type(hook).__name__} stops one epoch late with a loop of '
                'MMEngine: set train_cfg.type to mmregioncl.SeededTrainLoop')


def measures_itself(hook: Hook) -> bool:
    """Whether a hook of a user may log metrics that it does not list."""
    return host.is_own(type(hook)) and not hasattr(hook, 'metric_names')


def check_kept_checkpoints(runner) -> None:
    """Warn if the only checkpoint is removed before the next one is written.

    ``TimedCheckpointHook`` writes first.
    """
    first = CheckpointHook._save_checkpoint_with_step
    if any(
            getattr(type(hook), '_save_checkpoint_with_step', None) is first
            and hook.max_keep_ckpts == 1 for hook in runner.hooks):
        runner.logger.warning(
            'max_keep_ckpts=1 removes the only checkpoint before the next '
            'is written; if the run is killed in between, none is left: set '
            'default_hooks.checkpoint.max_keep_ckpts to 2 or more')
