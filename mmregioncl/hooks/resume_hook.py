from copy import deepcopy
from typing import List, Optional

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop

from mmregioncl.datasets import Seeded
from mmregioncl.engine.checks import check_whole
from mmregioncl.engine.resuming import (SCHEDULE, count_anew, differences,
                                        is_progress, progress,
                                        progress_of_others, reset_schedule)
from mmregioncl.engine.storage import loaded_from
from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class ResumeHook(Hook):
    """Resume a run exactly, and report what has changed.

    - It saves and restores what MMEngine's checkpoints lack: the seed of a
      ``mmregioncl.SeededSampler``, and the progress within the epoch.
    - It compares the config with the one in the checkpoint, and lists changes
      that affect training.
    - If settings of the optimizer or of the schedule have changed, the run
      follows the config: learning rate, weight decay and momentum get the
      values that they would have at this step. MMEngine silently keeps the
      values of the checkpoint.
    - With another batch size or number of processes, it recomputes the number
      of steps from the images that were trained on.

    Args:
        schedule (str): Where settings of the optimizer and of the schedule
            come from, 'config' or 'checkpoint'. Defaults to 'config'.
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
        """Keep the optimizer settings before a checkpoint replaces them."""
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
        """Compare the configs, and count steps by the batch of this run.

        Raises:
            ValueError: If the checkpoint is incomplete, or has the state of
                another optimizer.
        """
        if not runner._resume:
            return
        check_whole(runner, checkpoint)
        meta = checkpoint['meta']
        now = progress(runner)
        before = meta.get('progress')
        if not is_progress(before):
            before = progress_of_others(meta, now)
        found = differences(meta.get('cfg'), runner.cfg, before, now)
        if found:
            lines = ''.join(f'\n  {change}' for change in found)
            runner.logger.warning(
                f'these settings differ from those in {loaded_from(runner)}:'
                f'{lines}')
        if any(
                change.startswith('optim_wrapper.optimizer.type:')
                for change in found):
            raise ValueError(
                f'{loaded_from(runner)} has the state of another optimizer: '
                'use its type, or start a new run from its weights with '
                'load_from, without --resume')
        self.schedule_changed = any(
            change.startswith(SCHEDULE) for change in found)
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            self.schedule_changed |= count_anew(meta, before, now)
        sampler = getattr(runner.train_dataloader.batch_sampler, 'sampler',
                          None)
        if before['data_seed'] is not None and isinstance(sampler, Seeded):
            sampler.seed = before['data_seed']

    def before_train(self, runner) -> None:
        """Let the optimizer follow the config if it has changed."""
        if not self.schedule_changed:
            return
        if self.schedule == 'checkpoint':
            runner.logger.warning('learning rate, weight decay and momentum '
                                  'follow the checkpoint, as configured')
        elif self.groups is None:
            runner.logger.warning(
                'learning rate, weight decay and momentum follow the '
                'checkpoint, since there are several optimizers')
        else:
            reset_schedule(runner, self.groups)
            runner.logger.info('learning rate, weight decay and momentum '
                               'follow the config from here on')
