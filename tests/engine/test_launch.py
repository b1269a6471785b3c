import pytest

from mmregioncl.engine.launch import is_main_process, restarted


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


@pytest.mark.parametrize('variables, known', [
    (dict(), False),
    (dict(TORCHELASTIC_RESTART_COUNT='0'), False),
    (dict(TORCHELASTIC_RESTART_COUNT='1'), True),
    (dict(SLURM_RESTART_COUNT='2'), True),
])
def test_a_restarted_job_is_known(monkeypatch, variables, known):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert restarted() == known
