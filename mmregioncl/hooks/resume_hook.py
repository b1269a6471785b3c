from copy import deepcopy
from typing import Dict, List, Optional

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop

from mmregioncl.datasets import SeededSampler
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
        checkpoint['meta']['progress'] = self.progress(runner)

    @staticmethod
    def progress(runner) -> Dict[str, Optional[int]]:
        """The units in which the run counts, and the seed of its data."""
        loader = runner.train_dataloader
        sampler = loader.sampler
        return dict(
            epoch_length=len(loader),
            batch_size=loader.batch_sampler.batch_size,
            world_size=runner.world_size,
            images=len(loader.dataset),
            data_seed=sampler.seed
            if isinstance(sampler, SeededSampler) else None)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare the runs, and count the steps in those of this run."""
        if not runner._resume or 'meta' not in checkpoint:
            return  # GuardHook refuses the latter
        meta = checkpoint['meta']
        before, now = meta.get('progress', {}), self.progress(runner)
        try:
            found = changes(meta['cfg'], runner.cfg.pretty_text)
        except Exception:  # it may be anything
            found = ['its config, which is not known']
        self.schedule_changed = any(
            change.startswith(SCHEDULE) for change in found)
        for name in ('batch_size', 'world_size', 'images'):
            if name in before and before[name] != now[name]:
                line = f'{name}: {before[name]} -> {now[name]}'
                found += [] if any(name in change
                                   for change in found) else [line]
        if found:
            lines = ''.join(f'\n  {change}' for change in found)
            runner.logger.warning(
                f'this run is not the one that {runner._load_from} is of:'
                f'{lines}')
        if before and isinstance(runner.train_loop, EpochBasedTrainLoop):
            self.restore(runner, meta, before, now)

    def restore(self, runner, meta: dict, before: dict, now: dict) -> None:
        """Restore the seed of the data, and count the steps anew."""
        if None not in (before['data_seed'], now['data_seed']):
            runner.train_dataloader.sampler.seed = before['data_seed']
        units = ('epoch_length', 'batch_size', 'world_size')
        if any(before[unit] != now[unit] for unit in units):
            self.schedule_changed = True  # it may count in steps
            done = meta['iter'] - meta['epoch'] * before['epoch_length']
            images = done * before['batch_size'] * before['world_size']
            batch = now['batch_size'] * now['world_size']
            meta['iter'] = meta['epoch'] * now['epoch_length'] + min(
                images // batch, now['epoch_length'])

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
