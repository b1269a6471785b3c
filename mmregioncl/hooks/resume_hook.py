from copy import deepcopy
from typing import Any, Dict, List, Optional

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop

from mmregioncl.datasets import SeededSampler
from mmregioncl.engine.checks import check_whole
from mmregioncl.engine.resuming import SCHEDULE, changes, reset_schedule
from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class ResumeHook(Hook):
    """Resume a run exactly, and tell what is not as it was.

    - It saves and restores what MMEngine's checkpoints lack: the seed of a
      ``mmregioncl.SeededSampler``, and how far the run was within the epoch.
    - It compares the config with that in the checkpoint and lists what
      differs, as far as it affects training.
    - If settings of the optimizer or of the schedule differ, the run goes on
      with those of the config: learning rate, weight decay and momentum get
      the values that they would have at this step. MMEngine keeps those of the
      checkpoint without a word.
    - With another batch size or number of processes, it counts the steps anew,
      by the images that were trained on.

    Args:
        schedule (str): 'config' or 'checkpoint', which settings of the
            optimizer and of the schedule to use. Defaults to 'config'.
    """
    priority = 'HIGH'  # before GuardHook checks the schedule

    def __init__(self, schedule: str = 'config') -> None:
        if schedule not in ('config', 'checkpoint'):
            raise ValueError(f'schedule={schedule!r} of ResumeHook has to be '
                             '"config" or "checkpoint"')
        self.schedule = schedule
        self.groups: Optional[List[dict]] = None
        self.schedule_changed = False

    def before_run(self, runner) -> None:
        """Note the settings of the optimizer before any are loaded."""
        if isinstance(runner.optim_wrapper, OptimWrapper):
            self.groups = [
                deepcopy({
                    k: v
                    for k, v in group.items() if k != 'params'
                }) for group in runner.optim_wrapper.param_groups
            ]

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Save what MMEngine's checkpoint lacks."""
        checkpoint['meta']['progress'] = progress(runner)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare the runs, and count the steps in those of this run.

        Raises:
            ValueError: If the checkpoint is not whole, or of another kind of
                optimizer.
        """
        if not runner._resume:
            return
        check_whole(runner, checkpoint)
        meta = checkpoint['meta']
        now = progress(runner)
        before = meta.get('progress')
        if not is_progress(before):
            before = progress_of_others(meta, now)
        found = self.compare(runner, meta, before, now)
        if found:
            lines = ''.join(f'\n  {change}' for change in found)
            runner.logger.warning(
                f'this run is not the one that {runner._load_from} is of:'
                f'{lines}')
        if any(
                change.startswith('optim_wrapper.optimizer.type:')
                for change in found):
            raise ValueError(
                f'{runner._load_from} holds the state of another optimizer: '
                'take its type, or start anew from its weights by load_from, '
                'without --resume')
        self.schedule_changed = any(
            change.startswith(SCHEDULE) for change in found)
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            self.schedule_changed |= count_anew(meta, before, now)
        sampler = runner.train_dataloader.batch_sampler.sampler
        if before['data_seed'] is not None and \
                isinstance(sampler, SeededSampler):
            sampler.seed = before['data_seed']

    @staticmethod
    def compare(runner, meta: dict, before: dict, now: dict) -> List[str]:
        """What differs between the runs, as far as it affects training."""
        try:
            found = changes(meta['cfg'], runner.cfg.pretty_text)
        except Exception:  # it may be anything
            return ['its config, which is not known']
        told = {
            change.partition(':')[0].rpartition('.')[2]
            for change in found
        }
        return found + [
            f'{name}: {before[name]} -> {now[name]}'
            for name in ('batch_size', 'world_size', 'images')
            if before[name] != now[name] and name not in told
        ]

    def before_train(self, runner) -> None:
        """Let the optimizer follow the config, if that has changed."""
        if not self.schedule_changed:
            return
        if self.schedule == 'checkpoint':
            runner.logger.warning('learning rate, weight decay and momentum '
                                  'stay those of the checkpoint, as set')
        elif self.groups is None:
            runner.logger.warning(
                'learning rate, weight decay and momentum stay those of the '
                'checkpoint, since there are several optimizers')
        else:
            reset_schedule(runner, self.groups)
            runner.logger.info('learning rate, weight decay and momentum '
                               'follow the config from here on')


def progress(runner) -> Dict[str, Optional[int]]:
    """The units in which a run counts, and the seed of its data."""
    loader = runner.train_dataloader
    sampler = loader.batch_sampler.sampler
    return dict(
        epoch_length=len(loader),
        batch_size=loader.batch_sampler.batch_size,
        world_size=runner.world_size,
        images=len(loader.dataset),
        data_seed=sampler.seed if isinstance(sampler, SeededSampler) else None)


def is_progress(known: Any) -> bool:
    """Whether a checkpoint holds :func:`progress`, undamaged."""
    units = ('epoch_length', 'batch_size', 'world_size', 'images')
    return isinstance(known, dict) and all(
        isinstance(known.get(unit), int) and known[unit] > 0
        for unit in units) and isinstance(
            known.get('data_seed'), (int, type(None)))


def progress_of_others(meta: dict, now: dict) -> dict:
    """The same of a checkpoint of MMEngine, which ends an epoch or a step."""
    whole = meta['epoch'] and meta['iter'] % meta['epoch'] == 0
    length = meta['iter'] // meta['epoch'] if whole else now['epoch_length']
    return dict(now, epoch_length=length, data_seed=None)


def count_anew(meta: dict, before: dict, now: dict) -> bool:
    """Count the steps in batches of this run, by images trained on.

    Args:
        meta (dict): Of the checkpoint; its ``iter`` is changed.
        before (dict): :func:`progress` of the run of the checkpoint.
        now (dict): That of this run.

    Returns:
        bool: Whether the runs differ in their steps.
    """
    units = ('epoch_length', 'batch_size', 'world_size')
    if all(before[unit] == now[unit] for unit in units):
        return False
    done = meta['iter'] - meta['epoch'] * before['epoch_length']
    images = done * before['batch_size'] * before['world_size']
    batch = now['batch_size'] * now['world_size']
    meta['iter'] = meta['epoch'] * now['epoch_length'] + min(
        images // batch, now['epoch_length'])
    return True
