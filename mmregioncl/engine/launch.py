"""What a launcher tells its processes by environment variables."""
import os
import time
from pathlib import Path
from typing import Optional, Union

from mmregioncl.files import check_exists
from .storage import find_checkpoint

# The variable with the rank of a process, by launcher
RANKS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')
START = '.start'  # file in the work dir
RESTARTS = ('TORCHELASTIC_RESTART_COUNT', 'SLURM_RESTART_COUNT')


def is_main_process(launcher: Optional[str] = None) -> bool:
    """Whether this is the first process of a job, before they are joined.

    Args:
        launcher (str, optional): 'none', 'pytorch', 'slurm' or 'mpi'. Defaults
            to None, for any of them.
    """
    names = RANKS.values() if launcher is None else [RANKS.get(launcher, '')]
    return all(os.environ.get(name, '0') == '0' for name in names)


def restarted() -> bool:
    """Whether torchrun or Slurm has started this job before."""
    return any(int(os.environ.get(name, 0)) for name in RESTARTS)


def note_start(work_dir: Union[str, Path], resumes: bool) -> None:
    """Note when a job begins, for the case that it is restarted.

    Args:
        work_dir (str or Path): Work dir of the run.
        resumes (bool): Whether it goes on with what is there.
    """
    begin = '' if resumes else time.strftime('%Y%m%d_%H%M%S')
    (Path(work_dir) / START).write_text(begin)


def checkpoint_to_resume(work_dir: Union[str, Path],
                         given: Optional[str]) -> Optional[str]:
    """Choose what a run goes on with.

    A job that is restarted takes the last checkpoint that it has written
    itself. An older run in the same work dir is another one.

    Args:
        work_dir (str or Path): Work dir of the run.
        given (str, optional): Argument of ``--resume``: a checkpoint, or
            'auto' for the last one in the work dir.

    Returns:
        str or None: A checkpoint, None for a new run.

    Raises:
        FileNotFoundError: If the one that is given is not there.
    """
    if restarted():
        note = Path(work_dir) / START
        begin = note.read_text() if note.exists() else ''
        own = find_checkpoint(work_dir, begin)
        if own:
            return own
    if given == 'auto':
        return find_checkpoint(work_dir)
    if given is not None:
        check_exists(given)
    return given
