import math
from typing import Any

from mmengine.runner import EpochBasedTrainLoop
from torch import nn
from torch.utils.data import BatchSampler

from mmregioncl.datasets import SeededSampler
from mmregioncl.randomness import seed_draws
from mmregioncl.registry import LOOPS
from .metrics import publish_metrics


def images_per_batch(loader) -> int:
    """Images of a batch, also if a batch sampler makes batches."""
    known = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', 0)
    return known or math.ceil(len(loader.dataset) / len(loader))


@LOOPS.register_module()
class SeededTrainLoop(EpochBasedTrainLoop):
    """Epochs that can be resumed anywhere, and then go on to the bit.

    Random draws of a step, such as regions and dropout, depend on the seed of
    the run and the number of the step only. All processes draw the same unless
    ``randomness.diff_rank_seed`` is set. A run that is resumed in the middle
    of an epoch goes on with its next batch, if ``train_dataloader.sampler`` is
    a ``mmregioncl.SeededSampler``. Batches that were trained on are not
    loaded again.

    Arguments are those of ``EpochBasedTrainLoop``.
    """

    @property
    def begins_anywhere(self) -> bool:
        """Whether an epoch can begin in the middle."""
        loader = self.dataloader
        return isinstance(loader.sampler, SeededSampler) and type(
            loader.batch_sampler) is BatchSampler

    def run(self) -> nn.Module:
        """Train for the epochs that are left.

        A validation that a run was killed before is made up for.

        Returns:
            nn.Module: The model.
        """
        self.runner.call_hook('before_train')
        hub = self.runner.message_hub
        if self.epoch >= self.max_epochs:
            self.runner.logger.warning(
                f'nothing is left to train after epoch {self.epoch}: raise '
                f'train_cfg.max_epochs={self.max_epochs} to go on')
        if self.epoch == 0:
            hub.update_info('validated', 0)
        elif 'validated' in hub.runtime_info:  # not in MMEngine's checkpoints
            self.validate()
        while self.epoch < self.max_epochs and not self.stop_training:
            self.run_epoch()
            self.validate()
        self.runner.call_hook('after_train')
        return self.runner.model

    def validate(self) -> None:
        """Validate after an epoch if it is due and not done yet.

        Metrics that hooks have measured in the epoch are published.
        """
        publish_metrics(self.runner)
        hub = self.runner.message_hub
        self._decide_current_val_interval()
        due = self.epoch >= self.val_begin and (
            self.epoch % self.val_interval == 0
            or self.epoch == self.max_epochs)
        if due and self.runner.val_loop is not None and \
                hub.runtime_info.get('validated') != self.epoch:
            self.runner.val_loop.run()
            hub.update_info('validated', self.epoch)

    def run_epoch(self) -> None:
        """Train for an epoch, or for the rest of it.

        Raises:
            ValueError: If the epoch cannot begin in the middle.
        """
        done = self.iter - self.epoch * len(self.dataloader)
        if done:
            self.skip(done)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for batch_idx, data_batch in enumerate(self.dataloader, done):
            self.run_iter(batch_idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train on a batch, with random draws of its own."""
        seed_draws(self.runner.seed, self.iter, on_gpu=True)
        super().run_iter(idx, data_batch)

    def skip(self, done: int) -> None:
        """Let the sampler leave out batches that were trained on."""
        if not self.begins_anywhere:
            raise ValueError(
                f'cannot resume in the middle of epoch {self.epoch + 1} with '
                'this loader: set train_dataloader.sampler.type to '
                'mmregioncl.SeededSampler, without a batch_sampler, or resume '
                'from the end of an epoch')
        if not 0 < done <= len(self.dataloader):
            raise ValueError(
                f'the checkpoint is of step {self.iter}, which is not in epoch'
                f' {self.epoch + 1} of {len(self.dataloader)} steps: add '
                'mmregioncl.ResumeHook to default_hooks, or resume with the '
                'data and batch size of the run')
        self.dataloader.sampler.skip(done * self.dataloader.batch_size)
