"""Write checkpoints atomically and find the latest one."""
import os
from pathlib import Path
from typing import Any, Callable, Optional, Tuple, Union

import torch
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint

from mmregioncl.compat.checkpoint_files import is_compressed
from mmregioncl.files import atomic_write


@register_backend('mmregioncl.atomic')
class AtomicBackend(LocalBackend):
    """Local files, written by :func:`mmregioncl.files.atomic_write`."""

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write a file, completely or not at all.

        Args:
            obj (bytes): Content of the file.
            filepath (str or Path): Path of the file. Missing folders are
                created.
        """
        with atomic_write(filepath) as part:
            part.write_bytes(obj)


def find_checkpoint(work_dir: Union[str, Path],
                    since: str = '') -> Optional[str]:
    """Return the latest checkpoint of a run.

    Checkpoints are compared by the time stored inside them. File names repeat
    from run to run, and file times change when a folder is copied. MMEngine's
    file ``last_checkpoint`` is wrong after a move or copy, and outdated if the
    run was killed before it was updated. It is read only if the work dir has
    no checkpoint, since a run can write its checkpoints to another folder.

    Args:
        work_dir (str or Path): Work dir of the run.
        since (str): Ignore checkpoints before this time, such as
            '20261129_180000'. Defaults to ''.

    Returns:
        str or None: Path of the checkpoint, None if there is none yet.

    Raises:
        FileNotFoundError: If ``last_checkpoint`` exists, but no complete
            checkpoint does.
    """
    note = Path(work_dir) / 'last_checkpoint'
    # A crash may leave it empty or with bytes of another file.
    name = note.read_text(errors='replace').strip() if note.is_file() else ''
    named = [Path(name)] if name else []
    for paths in (sorted(note.parent.glob('*.pth')), named):
        written = {path: written_at(path) for path in paths}
        last = max(written, key=written.get, default=None)
        if last is not None and written[last] > ('', 0) and \
                written[last][0] >= since:
            return str(last)
    if named and not since:
        raise FileNotFoundError(
            f'{note} names {named[0]}, but neither it nor any file '
            'beside it is a complete checkpoint: pass one to --resume')
    return None


def loaded_from(runner) -> Optional[str]:
    """The checkpoint that a run resumes or starts from.

    If a config sets only ``resume=True``, MMEngine reads ``last_checkpoint``
    in the work dir.
    """
    return runner._load_from or find_latest_checkpoint(runner.work_dir)


def writes_after_iter(runner) -> bool:
    """Whether a checkpoint by iterations follows the current step."""
    return any(
        isinstance(hook, CheckpointHook) and not hook.by_epoch and (
            hook.every_n_train_iters(runner, hook.interval, hook.save_begin)
            or hook.is_last_train_iter(runner)) for hook in runner.hooks)


def saved_state(runner, checkpoint: dict, name: str,
                is_whole: Callable[[Any], bool]) -> Any:
    """Return the state of a hook in a checkpoint, None for a new run.

    Raises:
        ValueError: If the state is damaged.
    """
    state = checkpoint.get(name) if runner._resume else None
    if state is not None and not is_whole(state):
        raise ValueError(f'{loaded_from(runner)} is damaged ({name}): resume '
                         'from another checkpoint')
    return state


def written_at(path: Path) -> Tuple[str, int]:
    """Return when a checkpoint was written, and its step.

    Returns:
        tuple[str, int]: ('', 0) if no run can be resumed from the file.
    """
    try:
        if is_compressed(path):
            raise ValueError('zip bomb')
        checkpoint = torch.load(path, 'cpu', mmap=True, weights_only=True)
        meta = checkpoint['meta']
        # MMEngine's best_*.pth have no optimizer.
        resumable = 'optimizer' in checkpoint
        return (meta['time'], meta['iter']) if resumable else ('', 0)
    except Exception as error:  # broken bytes may raise anything
        if os.path.exists(path):  # also of a name that is too long
            print_log(f'skipped {path} ({type(error).__name__})', 'current')
        return '', 0
