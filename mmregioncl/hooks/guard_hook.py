from typing import Dict, List, Optional

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from mmregioncl.engine import checks
from mmregioncl.engine.step_memory import first_sample, views_of
from mmregioncl.engine.storage import loaded_from, writes_after_iter
from mmregioncl.models.utils import count_fitting
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.registry import HOOKS
from mmregioncl.transfer import adopt_published
from mmregioncl.validation import check_whole_number
from .accumulation_hook import AccumulationHook
from .evaluation_hook import EvaluationHook

NEVER = 2**62


@HOOKS.register_module()
class GuardHook(Hook):
    """Stop a misconfigured or diverged run with an error that names the fix.

    - Before training it runs the checks of ``mmregioncl.engine.checks``: the
      dataloader makes batches that the model accepts, including the last of an
      epoch, annotated images exist and can be read, the first step works, and
      a loaded checkpoint has the weights of the model (the Runner alone would
      continue with random weights). A new run may begin with only a backbone
      of torchvision, timm or OpenMMLab. It warns if the queue is longer
      than the data, the schedule does not end with the run, images use a small
      part of their value range, or memory, shared memory or disk space will
      not suffice.
    - During training it stops if a loss is NaN or inf. Every step is checked
      on the device; the host reads the result every `interval` steps and
      before a checkpoint is written, so the last checkpoint is always good.
    - With several processes it stops if one has a shorter batch or epoch than
      the others, which would wait forever or exchange wrong rows.
    - It does not write checkpoints whose weights are NaN or inf.

    Args:
        interval (int): Steps between two reads of the losses. Defaults to 50.
        strict_load (bool): Whether loaded weights must fit the model exactly.
            Defaults to True.

    Attributes:
        loaded (str or None): Which weights were loaded from a checkpoint.
    """
    priority = 'ABOVE_NORMAL'  # before the checkpoint of the same step

    def __init__(self, interval: int = 50, strict_load: bool = True) -> None:
        self.interval = check_whole_number('interval', interval,
                                           type(self).__name__)
        self.strict_load = strict_load
        self.first_bad: Dict[str, torch.Tensor] = {}
        self.first_step = False
        self.loaded: Optional[str] = None
        self.last: Optional[str] = None  # checkpoint, not one being written
        self.steps: Optional[int] = None  # of this epoch, on several processes
        self.views: Optional[List[torch.Tensor]] = None  # of one image

    def before_run(self, runner) -> None:
        """Check what the Runner and other hooks build first."""
        checks.check_averages(runner)
        checks.check_modules(runner)
        checks.check_compile(runner)

    def before_train(self, runner) -> None:
        """Check the data loader and the settings of the run."""
        self.first_step = True
        for check in checks.CHECKS:
            check(runner)
        check_accumulation(runner)
        sample = first_sample(runner)
        checks.check_shared_memory(runner, sample)
        self.views = views_of(runner, sample)
        if self.views is not None:
            checks.check_channels(unwrap(runner.model), self.views)
            checks.check_first_step(runner, self.views)

    def before_train_epoch(self, runner) -> None:
        """Check, once, what other hooks prepared before training."""
        self.steps = None
        if not self.first_step:
            return
        checks.check_metrics(runner)  # hooks may have left some out
        for hook in runner.hooks:
            if not isinstance(hook, EvaluationHook):
                continue
            for setting, dataset in hook.evaluated.items():
                checks.check_images(dataset, setting)
                checks.check_evaluated(runner, dataset, setting)
        if self.views is not None:
            checks.check_memory(runner, self.views)
        checks.check_disk(runner)

    def before_train_iter(self,
                          runner,
                          batch_idx: int,
                          data_batch=None) -> None:
        """Check that the batches of all processes have equal sizes."""
        if runner.iter == 1:
            checks.check_logged(runner)
        self.last = runner.message_hub.get_info('last_ckpt')
        if runner.world_size > 1 and isinstance(runner.train_loop,
                                                EpochBasedTrainLoop):
            self.steps = batch_idx + 1
            checks.check_batch(runner, batch_idx, data_batch)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Check that the checkpoint fits the run.

        A new run of pre-training may start from only a backbone.
        """
        model = unwrap(runner.model)
        if self.strict_load and not runner._resume:
            self.loaded = adopt_published(model, checkpoint)
        checks.check_checkpoint(runner, checkpoint, self.strict_load)
        if self.loaded is None:
            wanted = model.state_dict()
            fitting = count_fitting(wanted,
                                    checkpoint.get('state_dict', checkpoint))
            self.loaded = (f'{fitting} of {len(wanted)} weights loaded from '
                           f'{loaded_from(runner)}')
        runner.logger.info(self.loaded)

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch=None,
                         outputs: Optional[dict] = None) -> None:
        """Record the first bad step of each loss, on the device."""
        self.first_step = False
        for name, value in outputs.items():
            if 'loss' in name and torch.is_tensor(value):
                fine = value.detach().isfinite().all()
                step = torch.where(fine, NEVER, runner.iter + 1)
                known = self.first_bad.get(name, step)
                self.first_bad[name] = torch.minimum(known, step)
        if self.every_n_train_iters(
                runner, self.interval) or writes_after_iter(runner):
            self.check_losses(runner)

    def after_train_epoch(self, runner) -> None:
        """Check before the checkpoint of this epoch is written."""
        if self.steps is not None:
            checks.check_epoch(runner, self.steps)
        self.check_losses(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse to write a checkpoint after a bad loss, or of bad weights.

        The last step may have made them so. Only the first process is here.
        """
        self.check_losses(runner, shared=False)
        bad = [
            name for name, value in checkpoint['state_dict'].items()
            if value.is_floating_point() and not value.isfinite().all()
        ]
        if bad:
            self.stop(runner, f'{len(bad)} weights, such as {bad[0]},',
                      f'by step {checkpoint["meta"]["iter"]}')

    def check_losses(self, runner, shared: bool = True) -> None:
        """Check the losses since the last check.

        Args:
            runner (Runner): The run.
            shared (bool): Whether all ranks call it. Defaults to True.

        Raises:
            FloatingPointError: If a loss was bad, here or on any rank.
        """
        names = sorted(self.first_bad)
        if not names:
            return
        first_bad = torch.stack([self.first_bad[name] for name in names])
        if shared:
            all_reduce(first_bad, 'min')
            self.first_bad = {}
        steps = dict(zip(names, first_bad.tolist()))
        first = min(steps.values())
        if first == NEVER:
            return
        # One step later every term is bad: report those that came first.
        begun = [name for name in steps if steps[name] == first]
        terms = [name for name in begun if name != 'loss'] or begun
        self.stop(runner, ' and '.join(terms), f'at step {first}')

    def stop(self, runner, what: str, when: str) -> None:
        last = self.last
        if last is None and runner._resume:
            last = loaded_from(runner)
        kept = f'the last good checkpoint is {last}' if last else \
            'no checkpoint was written yet'
        raise FloatingPointError(
            f'{what} became NaN or inf {when}; {kept}; lower the learning '
            'rate, or check the data')


def check_accumulation(runner) -> None:
    """Reject accumulated updates without the hook that the model waits for."""
    counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
    if counts > 1 and hasattr(unwrap(runner.model), 'clock') and not any(
            isinstance(hook, AccumulationHook) for hook in runner.hooks):
        raise ValueError(
            f'accumulative_counts={counts} needs the AccumulationHook, '
            'without which queues and averages move in each batch: set '
            'default_hooks.accumulation.type=mmregioncl.AccumulationHook')
