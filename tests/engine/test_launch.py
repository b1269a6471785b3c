import time

import pytest
import torch

from mmregioncl.engine import launch
from mmregioncl.engine.launch import (checkpoint_to_resume, cores_per_process,
                                      is_main_process, local_processes,
                                      note_start, restarted)


@pytest.mark.parametrize('launcher, variables, first', [
    ('none', dict(RANK='1', SLURM_PROCID='1'), True),
    ('pytorch', dict(RANK='0', SLURM_PROCID='3'), True),
    ('pytorch', dict(RANK='1', SLURM_PROCID='0'), False),
    ('slurm', dict(SLURM_PROCID='1'), False),
    ('mpi', dict(OMPI_COMM_WORLD_RANK='1', SLURM_PROCID='0'), False),
    ('mpi', dict(OMPI_COMM_WORLD_RANK='0'), True),
])
def test_the_main_process_is_known(monkeypatch, launcher, variables, first):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_main_process(launcher) == first


@pytest.mark.parametrize(
    'variables, world, count',
    [
        (dict(), 8, 1),
        (dict(LOCAL_WORLD_SIZE='2', SLURM_NTASKS_PER_NODE='4'), 8, 2),
        (dict(SLURM_NTASKS_PER_NODE='4'), 8, 4),
        (dict(OMPI_COMM_WORLD_LOCAL_SIZE='4'), 8, 4),
        (dict(SLURM_NTASKS_PER_NODE='4'), 1, 1),  # not started by srun
    ])
def test_processes_of_a_machine_are_counted(monkeypatch, variables, world,
                                            count):
    for name in launch.LOCAL_SIZES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launch, 'get_world_size', lambda: world)
    assert local_processes() == count


@pytest.mark.parametrize(
    'cores, own, processes, count',
    [
        (8, 8, 2, 4),
        (64, 4, 2, 4),  # of Slurm, for each process
        (8, 8, 9, 1),
    ])
def test_cores_of_a_process_are_counted(monkeypatch, cores, own, processes,
                                        count):
    monkeypatch.setattr(launch.os, 'cpu_count', lambda: cores)
    monkeypatch.setattr(
        launch.os, 'sched_getaffinity', lambda _: range(own), raising=False)
    monkeypatch.setattr(launch, 'local_processes', lambda: processes)
    assert cores_per_process() == count


@pytest.mark.parametrize('variables, known', [
    (dict(), False),
    (dict(TORCHELASTIC_RESTART_COUNT='0'), False),
    (dict(TORCHELASTIC_RESTART_COUNT='1'), True),
    (dict(SLURM_RESTART_COUNT='2'), True),
    (dict(TORCHELASTIC_RESTART_COUNT='', SLURM_RESTART_COUNT='abc'), False),
])
def test_a_restarted_job_is_known(monkeypatch, variables, known):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert restarted() == known


@pytest.fixture
def work_dir(tmp_path):
    """With a checkpoint of an earlier run."""
    meta = dict(time='20260101_000010', iter=1)
    torch.save(dict(meta=meta, optimizer={}), tmp_path / 'epoch_1.pth')
    return tmp_path


@pytest.mark.parametrize('given', [None, 'auto', 'other.pth'])
def test_a_restarted_job_takes_what_it_has_written(work_dir, monkeypatch,
                                                   given):
    earlier = str(work_dir / 'epoch_1.pth')
    first = earlier if given == 'auto' else given
    monkeypatch.chdir(work_dir)
    (work_dir / 'other.pth').touch()
    note_start(work_dir, resumes=given == 'auto')
    assert checkpoint_to_resume(work_dir, given) == first
    monkeypatch.setenv('SLURM_RESTART_COUNT', '1')
    # Before it has written any
    assert checkpoint_to_resume(work_dir, given) == first
    meta = dict(time=time.strftime('%Y%m%d_%H%M%S'), iter=2)
    torch.save(dict(meta=meta, optimizer={}), work_dir / 'epoch_2.pth')
    assert checkpoint_to_resume(work_dir,
                                given) == str(work_dir / 'epoch_2.pth')


def test_a_missing_checkpoint_is_not_resumed(tmp_path):
    """There are no random weights to go on with."""
    with pytest.raises(
            FileNotFoundError,
            match='^there is no checkpoint none: name a file that exists$'):
        checkpoint_to_resume(tmp_path, 'none')


def test_a_start_that_cannot_be_noted_is_refused(tmp_path):
    (tmp_path / launch.START).mkdir()
    with pytest.raises(
            OSError,
            match='^cannot write to the work dir .*Is a directory.*/.start'):
        note_start(tmp_path, resumes=False)
