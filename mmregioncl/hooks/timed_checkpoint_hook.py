import math
import os
import re
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, Dict, Optional

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.runner import EpochBasedTrainLoop

from mmregioncl.engine.optimizers import parts_of
from mmregioncl.engine.signals import STOP_SIGNALS, outlive_in_workers
from mmregioncl.registry import HOOKS
from mmregioncl.validation import check_number
from .safe_checkpoint_hook import SafeCheckpointHook

STOPPED = 75  # exit code of a run that was stopped: try again later
RETRY = 60  # seconds after which a failed write is tried again
AGAIN = .5  # seconds after which Ctrl-C is a second one; torchrun repeats it
TIMED = 'resume_iter_{}.pth'


@HOOKS.register_module()
class TimedCheckpointHook(SafeCheckpointHook):
    """``SafeCheckpointHook`` that also writes by time, and on signals.

    - Every few minutes it writes ``resume_iter_N.pth``, besides checkpoints
      of epochs, and keeps the newest two. They are removed when the run
      is complete.
    - On SIGTERM, SIGUSR1 or Ctrl-C it writes such a checkpoint at the end of
      the step and ends the process with exit code 75. If one of several
      processes gets the signal, all of them stop. A second Ctrl-C stops at
      once.
    - If a checkpoint by time cannot be written, it tries again after a minute.

    With gradient accumulation, it waits for the end of the update. If the loop
    cannot resume in the middle of an epoch, checkpoints by time wait for the
    end of the epoch, and a signal ends the run without a checkpoint.

    Args:
        *args: Arguments of ``CheckpointHook``.
        minutes (float, optional): Time between two checkpoints. Defaults to
            15. With None, it writes only by ``interval`` and on signals.
        **kwargs: Further arguments of ``CheckpointHook``.

    Raises:
        ValueError: If minutes is not a positive number.
    """
    keep_timed = 2  # checkpoints by time

    def __init__(self, *args, minutes: Optional[float] = 15, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if minutes is not None:
            check_number('minutes', minutes, 'TimedCheckpointHook', True)
        self.pause = math.inf if minutes is None else 60 * minutes
        self.due = math.inf
        self.written = -1  # step of the last checkpoint
        self.told = math.inf  # when it was told to stop
        self.anywhere = True
        self.handlers: Dict[int, Any] = {}

    def before_train(self, runner) -> None:
        """Start the timer, and register signal handlers."""
        super().before_train(runner)
        loop = runner.train_loop
        self.anywhere = getattr(loop, 'begins_anywhere',
                                not isinstance(loop, EpochBasedTrainLoop))
        if not self.anywhere:
            runner.logger.warning(
                'checkpoints are written only at the end of epochs, since this'
                ' run cannot be resumed within one: set train_cfg.type to '
                'mmregioncl.SeededTrainLoop and train_dataloader.sampler.type '
                'to mmregioncl.SeededSampler')
        self.due = time.monotonic() + self.pause
        if current_thread() is main_thread():  # others cannot
            outlive_in_workers()
            self.handlers = {
                number: signal.signal(number, self.note_stop)
                for number in STOP_SIGNALS
                if signal.getsignal(number) != signal.SIG_IGN
            }

    @property
    def stopping(self) -> bool:
        """Whether this process was told to stop."""
        return self.told < math.inf

    def note_stop(self, number: int, frame) -> None:
        """Handle a signal: stop at the end of the step."""
        now = time.monotonic()
        if number == signal.SIGINT and now - self.told > AGAIN:
            raise KeyboardInterrupt
        first = not self.stopping
        self.told = min(self.told, now)
        if number == signal.SIGINT and first:
            # Unlike print, this is safe while another line is printed. What
            # reads it may be gone, since Ctrl-C stops a whole pipe.
            with suppress(OSError):
                os.write(
                    2, b'\nstopping after this step; press Ctrl-C again '
                    b'to stop at once\n')

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch=None,
                         outputs=None) -> None:
        """Write a checkpoint when due, and stop after a signal."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if (runner.iter + 1) % batches_per_update(runner.optim_wrapper):
            return
        meta = dict(epoch=runner.epoch, iter=runner.iter + 1)
        if self.any_process(self.stopping):
            self.save_and_stop(runner, meta, self.anywhere)
        # At the end of an epoch, evaluations come first.
        ends_epoch = isinstance(runner.train_loop,
                                EpochBasedTrainLoop) and self.end_of_epoch(
                                    runner.train_dataloader, batch_idx)
        if self.anywhere and not ends_epoch:
            self.save_if_due(runner, meta)

    def after_train_epoch(self, runner) -> None:
        """Write the checkpoint of the epoch, or one by time when due."""
        super().after_train_epoch(runner)
        if not self.is_last_train_epoch(runner):
            self.save_if_due(runner,
                             dict(epoch=runner.epoch + 1, iter=runner.iter))

    def before_train_epoch(self, runner) -> None:
        """Stop if a signal came between two epochs."""
        if self.any_process(self.stopping):
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self.save_and_stop(runner, meta)

    def after_train(self, runner) -> None:
        """Remove checkpoints by time once the run is complete."""
        super().after_train(runner)
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        # Unless the last step has no other one, as after early stopping
        if self.written == runner.iter and not is_timed(self.last_ckpt):
            self.remove_timed(keep=0)

    def any_process(self, flag: bool) -> bool:
        """Whether a flag is set on any rank; all ranks have to call it."""
        if get_world_size() == 1:
            return flag
        # MMEngine has already read the losses of this step, so this does not
        # make a GPU wait longer.
        flags = torch.tensor(int(flag))
        all_reduce(flags, 'max')
        return bool(flags)

    def save_if_due(self, runner, meta: dict) -> None:
        """Write a checkpoint on the main process when due."""
        there = meta['iter'] == self.written  # at the end of an epoch
        if is_main_process() and time.monotonic() >= self.due and not there:
            self.save_timed(runner, meta)

    def save_timed(self, runner, meta: dict) -> bool:
        """Write a checkpoint by time, and remove older ones.

        Returns:
            bool: Whether it was written.
        """
        written = self.write(runner, TIMED.format(meta['iter']), meta)
        if written:
            self.remove_timed(keep=self.keep_timed)
        return written

    def write(self, runner, name: str, meta: dict) -> bool:
        """Write a checkpoint, and set the time of the next one."""
        written = super().write(runner, name, meta)
        self.due = time.monotonic() + self.pause
        if written:
            self.written = meta['iter']
        else:
            self.due = min(self.due, time.monotonic() + RETRY)
        return written

    def save_and_stop(self, runner, meta: dict, save: bool = True) -> None:
        """Write a checkpoint and end the process; all ranks have to call it.

        Args:
            runner (Runner): The run.
            meta (dict): ``epoch`` and ``iter`` from which the run continues.
            save (bool): Whether to write a checkpoint. Defaults to True.

        Raises:
            SystemExit: With code 75, or 1 if there is no checkpoint at all.
        """
        if is_main_process() and save:
            self.save_timed(runner, meta)
        # Other ranks wait here: launchers kill them once one has ended.
        known = runner.message_hub.runtime_info
        missing = is_main_process() and known.get('last_ckpt') is None
        missing = self.any_process(missing)
        runner.logger.warning(
            f'received a stop signal: stopped after step {meta["iter"]}; ' +
            ('no checkpoint was written yet' if missing else
             f'a resumed run continues from {known.get("last_ckpt")}'))
        for number in self.handlers.keys() - {signal.SIGINT}:
            signal.signal(number, signal.SIG_IGN)  # it would change the code
        sys.exit(1 if missing else STOPPED)

    def remove_timed(self, keep: int) -> None:
        """Remove all checkpoints by time but the newest."""
        paths = [
            path for path in Path(self.out_dir).glob(TIMED.format('*'))
            if is_timed(str(path))
        ]
        newest = Path(self.last_ckpt or '').name  # even if a clock went back
        paths.sort(key=lambda p: (p.name == newest, p.stat().st_mtime))
        for path in paths[:len(paths) - keep]:
            self.remove(str(path))


def is_timed(path: str) -> bool:
    """Whether a checkpoint was written by time."""
    return bool(re.fullmatch(TIMED.format(r'\d+'), Path(path).name))


def batches_per_update(wrapper) -> int:
    """Batches after which no optimizer has gradients left."""
    return math.lcm(*(part._accumulative_counts for part in parts_of(wrapper)))
