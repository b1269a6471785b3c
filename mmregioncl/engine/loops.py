from typing import Union

from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch import nn
from torch.utils.data import BatchSampler, DataLoader

from mmregioncl.datasets import (SeededBatchSampler, SeededInfiniteSampler,
                                 SeededSampler)
from mmregioncl.randomness import seed_draws
from mmregioncl.registry import LOOPS
from .metrics import publish_metrics


def let_skip(loader: Union[DataLoader, dict]) -> Union[DataLoader, dict]:
    """Wrap the batch sampler in a config, if any, so that it can skip."""
    batches = loader.get('batch_sampler') if isinstance(loader, dict) else None
    if not isinstance(batches, dict):
        return loader
    return dict(
        loader, batch_sampler=dict(type=SeededBatchSampler, batches=batches))


class SeededLoop:
    """Mixin of loops that can be resumed at any step.

    Random draws of a step depend only on the seed of the run and the number of
    the step. Each validation is done once.
    """
    sampler_type: type

    def __init__(self, runner, dataloader: Union[DataLoader, dict], *args,
                 **kwargs) -> None:
        super().__init__(runner, let_skip(dataloader), *args, **kwargs)

    @property
    def begins_anywhere(self) -> bool:
        """Whether a pass over the data can start at any batch."""
        batches = self.dataloader.batch_sampler
        return type(batches) in (BatchSampler, SeededBatchSampler) and \
            isinstance(batches.sampler, self.sampler_type)

    def run_iter(self, *args, **kwargs) -> None:
        """Seed the random draws of a step, and train on its batch."""
        seed_draws(self.runner.seed, self.iter, on_gpu=True)
        super().run_iter(*args, **kwargs)

    def validate_once(self, done: int, last: int) -> None:
        """Validate if it is due and not done yet.

        Args:
            done (int): Epochs or steps so far, the unit of the intervals.
            last (int): Epochs or steps of the whole run.
        """
        hub = self.runner.message_hub
        self._decide_current_val_interval()
        due = done >= self.val_begin and (done % self.val_interval == 0
                                          or done == last)
        if due and self.runner.val_loop is not None and \
                hub.runtime_info.get('last_validation') != done:
            self.runner.val_loop.run()
            hub.update_info('last_validation', done)

    def skip(self, batches: int) -> None:
        """Let the sampler skip batches that were trained on."""
        sampler = self.dataloader.batch_sampler
        if isinstance(sampler, SeededBatchSampler):
            sampler.skip(batches)
        else:
            sampler.sampler.skip(batches * sampler.batch_size)


@LOOPS.register_module()
class SeededTrainLoop(SeededLoop, EpochBasedTrainLoop):
    """Epoch-based loop that can be resumed exactly, at any step.

    Random draws of a step, such as regions and dropout, depend only on the
    seed of the run and the number of the step. They are the same in all
    processes unless ``randomness.diff_rank_seed`` is set. If
    ``train_dataloader.sampler`` is a ``mmregioncl.SeededSampler``, a run that
    is resumed in the middle of an epoch continues with the next batch. Earlier
    batches are not loaded again.

    The arguments are the same as for ``EpochBasedTrainLoop``.
    """
    sampler_type = SeededSampler

    def run(self) -> nn.Module:
        """Train for the remaining epochs.

        If the run was killed before a validation, it is done now.

        Returns:
            nn.Module: The model.
        """
        self.runner.call_hook('before_train')
        hub = self.runner.message_hub
        if self.epoch >= self.max_epochs:
            self.runner.logger.warning(
                f'training is already complete at epoch {self.epoch}: raise '
                f'train_cfg.max_epochs={self.max_epochs} to continue')
        if self.epoch == 0:
            hub.update_info('last_validation', 0)
        elif 'last_validation' in hub.runtime_info:  # not in MMEngine's
            self.validate()
        while self.epoch < self.max_epochs and not self.stop_training:
            self.run_epoch()
            self.validate()
        self.runner.call_hook('after_train')
        return self.runner.model

    def validate(self) -> None:
        """Publish metrics of the epoch, and validate if it is due."""
        publish_metrics(self.runner)
        self.validate_once(self.epoch, self.max_epochs)

    def run_epoch(self) -> None:
        """Train for an epoch, or for the rest of it.

        Raises:
            ValueError: If the epoch cannot start at any batch, or if its
                number of steps is not ``len(self.dataloader)``.
        """
        done = self.iter - self.epoch * len(self.dataloader)
        if done:
            self.skip(done)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for batch_idx, data_batch in enumerate(self.dataloader, done):
            self.run_iter(batch_idx, data_batch)
        steps = self.iter - self.epoch * len(self.dataloader)
        if self.begins_anywhere and steps != len(self.dataloader):
            raise ValueError(
                f'epoch {self.epoch + 1} had {steps} batches instead of the '
                f'{len(self.dataloader)} that resuming relies on: set '
                'drop_last=False in train_dataloader.batch_sampler, or '
                'train_cfg.type to EpochBasedTrainLoop')
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def skip(self, batches: int) -> None:
        """Let the sampler skip batches that were trained on."""
        if not self.begins_anywhere:
            raise ValueError(
                f'cannot resume in the middle of epoch {self.epoch + 1} with '
                'this loader: set train_dataloader.sampler.type to '
                'mmregioncl.SeededSampler, with a dict for batch_sampler, if '
                'any, or resume from the end of an epoch')
        if not 0 < batches <= len(self.dataloader):
            raise ValueError(
                f'the checkpoint is of step {self.iter}, which is not in epoch'
                f' {self.epoch + 1} of {len(self.dataloader)} steps: add '
                'mmregioncl.ResumeHook to default_hooks, or resume with the '
                'data and batch size of the run')
        super().skip(batches)


@LOOPS.register_module()
class SeededIterTrainLoop(SeededLoop, IterBasedTrainLoop):
    """Iteration-based loop that can be resumed exactly, at any step.

    See :class:`SeededTrainLoop`. Unlike in MMEngine's loop, earlier batches
    are not loaded again.

    Args:
        *args: Arguments of ``IterBasedTrainLoop``.
        **kwargs: Keyword arguments of ``IterBasedTrainLoop``.

    Raises:
        ValueError: If ``train_dataloader.sampler`` is not a
            ``mmregioncl.SeededInfiniteSampler``, or if ``batch_sampler`` is
            set, but not by a dict.
    """
    sampler_type = SeededInfiniteSampler

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not self.begins_anywhere:
            raise ValueError(
                'SeededIterTrainLoop cannot resume with this loader: set '
                'train_dataloader.sampler.type to mmregioncl.'
                'SeededInfiniteSampler, with a dict for batch_sampler, if '
                'any, or train_cfg.type to IterBasedTrainLoop')

    def run(self) -> nn.Module:
        """Train for the remaining steps.

        If the run was killed before a validation, it is done now.

        Returns:
            nn.Module: The model.
        """
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        hub = self.runner.message_hub
        if self.iter == 0:
            hub.update_info('last_validation', 0)
        else:
            self.skip(self.iter)
            self.dataloader_iterator = iter(self.dataloader)
            if 'last_validation' in hub.runtime_info:  # not in MMEngine's
                self.validate_once(self.iter, self.max_iters)
        while self.iter < self.max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self.validate_once(self.iter, self.max_iters)
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model
