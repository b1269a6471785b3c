from os.path import exists, expanduser
from typing import Dict, List, Optional, Tuple

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim.scheduler.param_scheduler import INF

from mmregioncl.datasets.box_store import innermost
from mmregioncl.models.utils import check_weights
from mmregioncl.registry import HOOKS
from ..modules import unwrap

NEVER = 2**62


@HOOKS.register_module()
class GuardHook(Hook):
    """Stop a run that cannot come to good, and say why in a sentence.

    - Before training: the dataloader makes no batch, or annotations name
      images that are not there. (It warns of a queue
      longer than the data, and of a learning rate scheduled for another
      number of epochs.)
    - When a checkpoint is loaded: its weights are not those of the model.
      (The Runner alone goes on with random weights.) When one is resumed: it
      holds weights alone.
    - While training: a loss is NaN or inf. Each step is looked at on the
      device; the host asks every `interval` steps and before a checkpoint
      is written, so that the last good one stays the last one.
    - When a checkpoint is written: a weight is NaN or inf.

    Args:
        interval (int): Steps from one look at the losses to the next.
            Defaults to 50.
        strict_load (bool): Whether loaded weights must be exactly those of
            the model. Defaults to True.
    """
    priority = 'ABOVE_NORMAL'  # before the checkpoint of the same step

    def __init__(self, interval: int = 50, strict_load: bool = True) -> None:
        self.interval = interval
        self.strict_load = strict_load
        self.writers: List[CheckpointHook] = []
        self.first_bad: Dict[str, torch.Tensor] = {}

    def before_train(self, runner) -> None:
        """Refuse a dataloader without a batch; warn of odd settings."""
        loader = runner.train_dataloader
        if len(loader) == 0:
            raise ValueError(
                f'{len(loader.dataset)} images do not make one batch of '
                f'{loader.batch_size} on {runner.world_size} process(es): '
                'lower train_dataloader.batch_size, or add images')
        check_images(loader.dataset)
        queue_len = getattr(unwrap(runner.model), 'queue_len', 0)
        if queue_len >= len(loader.dataset):
            runner.logger.warning(
                f'queue_len={queue_len} for {len(loader.dataset)} images: an '
                'image meets its own old keys as negatives; set '
                'model.queue_len below their number')
        for setting, planned, total in self.misplanned(runner):
            runner.logger.warning(
                f'the learning rate is scheduled for {planned} of {total} '
                f'{setting[4:]}: set T_max and end of param_scheduler to '
                f'train_cfg.{setting}')
        self.writers = [
            hook for hook in runner.hooks if isinstance(hook, CheckpointHook)
        ]
        if any(hook.max_keep_ckpts == 1 for hook in self.writers):
            runner.logger.warning(
                'max_keep_ckpts=1 removes the only checkpoint before the next '
                'is written, and a kill between leaves none: set '
                'default_hooks.checkpoint.max_keep_ckpts to 2 or more')

    @staticmethod
    def misplanned(runner) -> List[Tuple[str, int, int]]:
        """Schedules that do not end with the run."""
        schedulers = runner.param_schedulers
        if isinstance(schedulers, dict):  # of several optimisers
            schedulers = sum(schedulers.values(), [])
        ends = {'max_epochs': [], 'max_iters': []}
        for scheduler in schedulers or []:
            unit = 'max_epochs' if scheduler.by_epoch else 'max_iters'
            ends[unit].append(scheduler.end)
        return [(unit, max(end), getattr(runner, unit))
                for unit, end in ends.items()
                if end and max(end) not in (getattr(runner, unit), INF)]

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse weights of another architecture, or alone."""
        if runner._resume and 'meta' not in checkpoint:
            raise ValueError(
                f'cannot resume from {runner._load_from}, which holds weights '
                'alone: start anew from them by load_from, without --resume')
        if not self.strict_load:
            return
        check_weights(
            unwrap(runner.model), checkpoint.get('state_dict', checkpoint))

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch=None,
                         outputs: Optional[dict] = None) -> None:
        """Note the first bad step of each loss, on the device."""
        for name, value in outputs.items():
            if 'loss' in name and torch.is_tensor(value):
                fine = value.detach().isfinite().all()
                step = torch.where(fine, NEVER, runner.iter + 1)
                known = self.first_bad.get(name, step)
                self.first_bad[name] = torch.minimum(known, step)
        if self.every_n_train_iters(runner, self.interval) or any(
                writer.every_n_train_iters(runner, writer.interval,
                                           writer.save_begin)
                or self.is_last_train_iter(runner)
                for writer in self.writers if not writer.by_epoch):
            self.check_losses(runner)

    def after_train_epoch(self, runner) -> None:
        """Ask before the checkpoint of this epoch is written."""
        self.check_losses(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse to write weights that are NaN or inf.

        The gradient of the last step may have made them so.
        """
        bad = [
            name for name, value in checkpoint['state_dict'].items()
            if value.is_floating_point() and not value.isfinite().all()
        ]
        if bad:
            self.stop(runner, f'{len(bad)} weights, such as {bad[0]},',
                      f'by step {checkpoint["meta"]["iter"]}')

    def check_losses(self, runner) -> None:
        """Raise FloatingPointError if a loss was bad since the last look.

        On all ranks, if on any.
        """
        names = sorted(self.first_bad)
        if not names:
            return
        first_bad = torch.stack([self.first_bad[name] for name in names])
        all_reduce(first_bad, 'min')
        steps = dict(zip(names, first_bad.tolist()))
        self.first_bad = {}
        first = min(steps.values())
        if first == NEVER:
            return
        # A step later every term is bad: blame those that began.
        begun = [name for name in steps if steps[name] == first]
        terms = [name for name in begun if name != 'loss'] or begun
        self.stop(runner, ' and '.join(terms), f'at step {first}')

    @staticmethod
    def stop(runner, what: str, when: str) -> None:
        last = runner.message_hub.get_info('last_ckpt')
        if last is None and runner._resume:
            last = runner._load_from
        kept = f'the last good checkpoint is {last}' if last else \
            'no checkpoint was written yet'
        raise FloatingPointError(
            f'{what} became NaN or inf {when}; {kept}; lower the learning '
            'rate, or look at the data')


def check_images(dataset) -> None:
    """Refuse annotations of images that are not there.

    The first, middle and last image of each data set are looked for.

    Raises:
        FileNotFoundError: If one is missing.
    """
    for part in innermost(dataset):
        for index in {0, len(part) // 2, len(part) - 1}:
            path = part.get_data_info(index).get('img_path')
            if isinstance(path, str) and '://' not in path and not exists(
                    expanduser(path)):
                raise FileNotFoundError(
                    f'the annotations name {path}, which is not there: set '
                    'data_prefix of the data set in train_dataloader')
