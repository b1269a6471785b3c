import signal
import sys
import time
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, Dict, Optional

import torch
from mmengine.dist import all_reduce, barrier, is_main_process
from mmengine.hooks import CheckpointHook

from mmregioncl.datasets.workers import STOP_SIGNALS
from mmregioncl.files import atomic_write
from mmregioncl.registry import HOOKS

STOPPED = 75  # exit code of a run that was told to stop: try again later
RETRY = 60  # seconds after which a failed write is tried again


@HOOKS.register_module()
class TimedCheckpointHook(CheckpointHook):
    """``CheckpointHook`` that also writes by time, and when a job is stopped.

    - Every few minutes it writes ``resume_iter_N.pth``, beside the checkpoints
      of whole epochs, and keeps the newest two. They are removed when the run
      is complete.
    - On SIGTERM or SIGUSR1 it writes such a checkpoint at the end of the step
      and ends the process with exit code 75. If one process of several gets
      the signal, all stop.
    - If a checkpoint cannot be written, as on a full disk, it warns, goes on,
      and tries again after a minute or with the next epoch. Older checkpoints
      are only removed after the new one is there. An error is raised at the
      end of the run only.

    With gradient accumulation, checkpoints by time and by signal wait for the
    end of the update. All files are written completely or not at all.

    Args:
        *args: Arguments of ``CheckpointHook``.
        minutes (float, optional): Time between two checkpoints. Defaults to
            15. None writes those of ``interval`` and of signals only.
        **kwargs: Further arguments of ``CheckpointHook``.

    Raises:
        ValueError: If minutes is not positive.
    """

    def __init__(self, *args, minutes: Optional[float] = 15, **kwargs) -> None:
        kwargs.setdefault('backend_args', dict(backend='mmregioncl.atomic'))
        super().__init__(*args, **kwargs)
        if minutes is not None and not minutes > 0:
            raise ValueError(f'minutes={minutes} of TimedCheckpointHook has to'
                             ' be positive, or None')
        self.pause = float('inf') if minutes is None else 60 * minutes
        self.due = float('inf')
        self.stopping = False
        self.handlers: Dict[int, Any] = {}

    def before_train(self, runner) -> None:
        """Start the clock, and listen to signals."""
        super().before_train(runner)
        self.due = time.monotonic() + self.pause
        if current_thread() is main_thread():  # no other may listen
            self.handlers = {
                number: signal.signal(number, self.note_stop)
                for number in STOP_SIGNALS
            }

    def after_train(self, runner) -> None:
        """Remove checkpoints that a complete run does not need."""
        super().after_train(runner)
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        if is_main_process():
            self.remove_timed(keep=0)

    def note_stop(self, number: int, frame) -> None:
        """Handle a signal: stop at the end of the step."""
        self.stopping = True

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch=None,
                         outputs=None) -> None:
        """Write a checkpoint if it is time, and stop if told to."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if (runner.iter + 1) % counts:
            return  # in the middle of an update
        meta = dict(epoch=runner.epoch, iter=runner.iter + 1)
        if self.all_stop(runner):
            self.save_and_stop(runner, meta)
        elif time.monotonic() >= self.due and not self.end_of_epoch(
                runner.train_dataloader, batch_idx):
            self.save_timed(runner, meta)

    def after_train_epoch(self, runner) -> None:
        """Write the checkpoint of the epoch, and stop if told to."""
        super().after_train_epoch(runner)
        if self.is_last_train_epoch(runner) or not self.all_stop(runner):
            return
        self.save_and_stop(runner,
                           dict(epoch=runner.epoch + 1, iter=runner.iter))

    def all_stop(self, runner) -> bool:
        """Whether any process was told to stop."""
        if runner.world_size == 1:
            return self.stopping
        stopping = torch.tensor(int(self.stopping))
        all_reduce(stopping, 'max')
        return bool(stopping)

    def save_and_stop(self, runner, meta: dict) -> None:
        """Write a checkpoint and end the process.

        Raises:
            SystemExit: With code 75.
        """
        self.save_timed(runner, meta)
        barrier()  # launchers kill the other processes when one has ended
        runner.logger.warning(
            f'told to stop: ended after step {meta["iter"]}, resume with '
            '--resume')
        sys.exit(STOPPED)

    def save_timed(self, runner, meta: dict) -> None:
        """Write a checkpoint beside those of whole epochs."""
        if is_main_process():
            name = f'resume_iter_{meta["iter"]}.pth'
            if self.write(runner, name, meta):
                self.remove_timed(keep=2)

    def remove_timed(self, keep: int) -> None:
        """Remove all checkpoints by time but the newest."""
        paths = Path(self.out_dir).glob('resume_iter_*.pth')
        by_age = sorted(paths, key=lambda path: path.stat().st_mtime)
        for path in by_age[:len(by_age) - keep]:
            path.unlink()

    def write(self, runner, name: str, meta: dict) -> bool:
        """Write a checkpoint.

        Returns:
            bool: Whether it is there.

        Raises:
            OSError: If it is not, and the run is complete.
        """
        hub = runner.message_hub
        last = hub.runtime_info.get('last_ckpt')
        path = self.file_backend.join_path(self.out_dir, name)
        hub.update_info('last_ckpt', path)
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                backend_args=self.backend_args,
                **self.args)
            if is_main_process():
                note = Path(runner.work_dir) / 'last_checkpoint'
                with atomic_write(note) as part:
                    part.write_text(path)
        except OSError as error:
            hub.update_info('last_ckpt', last)
            self.due = min(time.monotonic() + RETRY, self.due)
            if meta['iter'] == runner.max_iters:
                raise OSError(f'cannot write the last checkpoint {path}: make '
                              'room, and resume the run') from error
            runner.logger.warning(f'cannot write {path} ({error}): make room; '
                                  f'the last checkpoint is {last}')
            return False
        self.last_ckpt = path
        self.due = time.monotonic() + self.pause
        return True

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        try:
            super()._save_best_checkpoint(runner, metrics)
        except OSError as error:
            runner.logger.warning(f'cannot write the best checkpoint ({error})'
                                  ': make room')

    def _save_checkpoint_with_step(self, runner, step: int,
                                   meta: dict) -> None:
        # The parent removes an old checkpoint before it writes the new one.
        kept = list(getattr(self, 'keep_ckpt_ids', []))
        steps = [*kept, step] if kept[-1:] != [step] else kept
        limit = self.max_keep_ckpts if self.max_keep_ckpts > 0 else len(steps)
        runner.message_hub.update_info('keep_ckpt_ids', steps[-limit:])
        if not self.write(runner, self.filename_tmpl.format(step), meta):
            runner.message_hub.update_info('keep_ckpt_ids', kept)
            return
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids.extend(steps[len(kept):])
        for old in steps[:-limit] if is_main_process() else ():
            path = self.file_backend.join_path(self.out_dir,
                                               self.filename_tmpl.format(old))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
