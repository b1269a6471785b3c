"""Read the environment variables that launchers set."""
import os
import time
from pathlib import Path
from typing import Optional, Union

from mmengine.dist import get_world_size

from mmregioncl.files import check_exists
from .storage import find_checkpoint
from .work_dir import writing

# The variable with the rank of a process, by launcher
RANKS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')
# The variable with the number of processes on a machine
LOCAL_SIZES = ('LOCAL_WORLD_SIZE', 'SLURM_NTASKS_PER_NODE',
               'OMPI_COMM_WORLD_LOCAL_SIZE')
START = '.start'  # file in the work dir
RESTARTS = ('TORCHELASTIC_RESTART_COUNT', 'SLURM_RESTART_COUNT')


def is_main_process(launcher: Optional[str] = None) -> bool:
    """Whether this is the first process of a job, before a group is formed.

    Args:
        launcher (str, optional): 'none', 'pytorch', 'slurm' or 'mpi'. Defaults
            to None, for any launcher.
    """
    names = RANKS.values() if launcher is None else [RANKS.get(launcher, '')]
    return all(os.environ.get(name, '0') == '0' for name in names)


def check_launcher(launcher: str) -> None:
    """Reject a launcher that has not started this process.

    Raises:
        ValueError: If its variables are missing.
    """
    name = RANKS.get(launcher)
    if name and name not in os.environ:
        raise ValueError(
            f'launcher={launcher!r} needs the environment variable {name}: '
            'start the run as docs/pretraining.md shows for several processes,'
            " or set launcher='none'")


def local_processes() -> int:
    """Number of processes of the run on this machine.

    Slurm and MPI set their variables in jobs of one process, too.
    """
    counts = [os.environ[name] for name in LOCAL_SIZES if name in os.environ]
    return min(int(counts[0]), get_world_size()) if counts else 1


def cores_per_process() -> int:
    """Number of processor cores for each process of the run, at least 1."""
    cores = os.cpu_count() // local_processes()
    if hasattr(os, 'sched_getaffinity'):  # as under Slurm; not on macOS
        cores = min(cores, len(os.sched_getaffinity(0)))
    return max(1, cores)


def restarted() -> bool:
    """Whether torchrun or Slurm has started this job before."""
    counts = [os.environ.get(name, '') for name in RESTARTS]
    return any(int(count) for count in counts if count.isdecimal())


def note_start(work_dir: Union[str, Path], resumes: bool) -> None:
    """Record when a job begins, in case it is restarted.

    Args:
        work_dir (str or Path): Work dir of the run.
        resumes (bool): Whether it resumes an earlier run in the work dir.

    Raises:
        OSError: If it cannot be written.
    """
    begin = '' if resumes else time.strftime('%Y%m%d_%H%M%S')
    with writing(work_dir):
        (Path(work_dir) / START).write_text(begin)


def checkpoint_to_resume(work_dir: Union[str, Path],
                         given: Optional[str]) -> Optional[str]:
    """Choose the checkpoint to resume from.

    A restarted job resumes from the latest checkpoint that it has written
    itself, not from checkpoints of an earlier run in the work dir.

    Args:
        work_dir (str or Path): Work dir of the run.
        given (str, optional): Argument of ``--resume``: a checkpoint, or
            'auto' for the latest one in the work dir.

    Returns:
        str or None: A checkpoint, None for a new run.

    Raises:
        FileNotFoundError: If `given` does not exist.
    """
    if restarted():
        note = Path(work_dir) / START
        begin = note.read_text(errors='replace') if note.is_file() else ''
        own = find_checkpoint(work_dir, begin)
        if own:
            return own
    if given == 'auto':
        return find_checkpoint(work_dir)
    if given is not None:
        check_exists(given)
    return given
