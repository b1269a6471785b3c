from pathlib import Path
from typing import Dict

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook

from mmregioncl.engine.metrics import (GREATER, LESS, Metrics, check_name,
                                       measured)
from mmregioncl.files import atomic_write
from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """``CheckpointHook`` that survives a full disk.

    Files are written completely or not at all, and older checkpoints are
    removed only after the new one is written; MMEngine removes them first. If
    a checkpoint cannot be written, the hook warns and the run continues; the
    last one of a run raises an error. With `save_last`, a run that is stopped
    early writes a last checkpoint, too.

    `save_best` accepts metrics of the evaluation hooks, such as
    'knn/k20_T0.1', and metrics of a validation loop. The best checkpoint is a
    separate file. MMEngine also writes the checkpoint of that epoch, at any
    interval, and counts it among `max_keep_ckpts`.

    It has the arguments of ``CheckpointHook``. ``backend_args`` defaults to
    ``dict(backend='mmregioncl.atomic')``.
    """

    _default_greater_keys = [*CheckpointHook._default_greater_keys, *GREATER]
    _default_less_keys = [*CheckpointHook._default_less_keys, *LESS]

    def __init__(self, *args, **kwargs) -> None:
        if kwargs.get('file_client_args') is None:
            kwargs.setdefault('backend_args',
                              dict(backend='mmregioncl.atomic'))
        super().__init__(*args, **kwargs)

    def write(self, runner, name: str, meta: dict) -> bool:
        """Write a checkpoint, on the main process.

        Args:
            runner (Runner): The run.
            name (str): Name of the file.
            meta (dict): ``epoch`` and ``iter`` to resume from.

        Returns:
            bool: Whether it was written.
        """
        hub = runner.message_hub
        last = hub.runtime_info.get('last_ckpt')
        path = self.file_backend.join_path(self.out_dir, name)
        hub.update_info('last_ckpt', path)  # saved in the checkpoint
        written = False
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
            written = True
            self.last_ckpt = last = path
            if is_main_process():
                path = f'{runner.work_dir}/last_checkpoint'
                with atomic_write(path) as part:
                    part.write_text(last)
        except OSError as error:
            runner.logger.warning(f'cannot write {path} ({error}): make room; '
                                  f'the last checkpoint is {last}')
        finally:
            if not written:
                hub.update_info('last_ckpt', last)
        return written

    def _save_checkpoint_with_step(self, runner, step: int,
                                   meta: dict) -> None:
        """Write the checkpoint of an epoch or step, then remove old ones."""
        hub = runner.message_hub
        before = list(getattr(self, 'keep_ckpt_ids', []))
        after = before if step in before else [*before, step]
        removed = []
        if 0 < self.max_keep_ckpts < len(after):
            removed = after[:-self.max_keep_ckpts]
            after = after[-self.max_keep_ckpts:]
        hub.update_info('keep_ckpt_ids', after)
        name = self.filename_tmpl.format(step)
        if not self.write(runner, name, meta):
            hub.update_info('keep_ckpt_ids', before)
            if meta['iter'] == runner.max_iters:
                raise OSError(f'cannot write the last checkpoint {name}: make '
                              'room, and resume the run')
            return
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids.clear()
            self.keep_ckpt_ids.extend(after)
        for old in removed:
            self.remove(self.path(old))

    def path(self, step: int) -> str:
        """Path of the checkpoint of an epoch or step."""
        return self.file_backend.join_path(self.out_dir,
                                           self.filename_tmpl.format(step))

    def remove(self, path: str) -> None:
        """Remove a checkpoint, on the main process."""
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)

    def after_train(self, runner) -> None:
        """Write the last checkpoint if the run was stopped early."""
        stopped = getattr(runner.train_loop, 'stop_training', False)
        step = runner.epoch if self.by_epoch else runner.iter
        if self.save_last and stopped and self.last_ckpt != self.path(step):
            self._save_checkpoint_with_step(
                runner, step, dict(epoch=runner.epoch, iter=runner.iter))
        super().after_train(runner)

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        """Write the best checkpoint, then remove the one before.

        Raises:
            ValueError: If a metric of `save_best` is not measured.
        """
        if not self.save_best:
            return
        if not isinstance(metrics, Metrics):  # of a validation loop
            for name in {*self.save_best} - {'auto'}:
                check_name(('save_best', type(self).__name__), name,
                           [*metrics, *measured(runner)])
        elif runner.val_loop is not None and 'auto' in self.save_best:
            return  # which means the first metric of that loop
        metrics = Metrics(metrics)
        known = runner.message_hub.runtime_info
        before = {key: known[key] for key in known if key.startswith('best_')}
        self.set_best({})  # the parent removes these before it writes
        last = self.last_ckpt
        step = runner.epoch if self.by_epoch else runner.iter
        if last and last != self.path(step):
            self.last_ckpt = None  # the parent would write another one
        try:
            super()._save_best_checkpoint(runner, metrics)
        except OSError as error:
            runner.logger.warning(f'cannot write the best checkpoint ({error})'
                                  ': make room')
            for key in [key for key in known if key.startswith('best_')]:
                del known[key]
            known.update(before)
        finally:
            self.last_ckpt = last
        self.set_best(known)
        for key, path in before.items():
            if not key.startswith('best_ckpt'):
                continue
            old = Path(path).name
            if old != Path(known[key]).name:
                # Not at its path, which is in the folder of another run if
                # this one was resumed from there.
                self.remove(self.file_backend.join_path(self.out_dir, old))

    def set_best(self, paths: Dict[str, str]) -> None:
        """Set the best checkpoints, by their names in the message hub."""
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = paths.get('best_ckpt')
        else:
            self.best_ckpt_path_dict = {
                name: paths.get(f'best_ckpt_{name}')
                for name in self.key_indicators
            }
