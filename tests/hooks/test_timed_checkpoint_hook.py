import errno
import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmregioncl import dry_run
from mmregioncl.engine.signals import STOP_SIGNALS
from mmregioncl.engine.storage import find_checkpoint
from mmregioncl.hooks import (SafeCheckpointHook, TimedCheckpointHook,
                              timed_checkpoint_hook)
from ranks import Ranks


class Watch(Hook):
    """Note the files after each step, or send a signal at one."""
    priority = 'LOWEST'

    def __init__(self, stop_at: int = 0, number: int = 0) -> None:
        self.stop_at, self.number = stop_at, number
        self.files = []

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter + 1 == self.stop_at:
            os.kill(os.getpid(), self.number)

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        names = (path.name for path in Path(runner.work_dir).glob('*.pth'))
        self.files.append(sorted(names))


@pytest.fixture(autouse=True)
def keep_handlers():
    """And stop at Ctrl-C, as in a shell; pytest-xdist ignores it."""
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def timed_cfg(seeded_runner_cfg):
    """Two epochs of three steps, a checkpoint after each step."""
    cfg = seeded_runner_cfg
    cfg.default_hooks.checkpoint = dict(
        type='mmregioncl.TimedCheckpointHook',
        interval=1,
        max_keep_ckpts=1,
        minutes=1e-9)
    cfg.model.queue_len = 8
    return cfg


def run(cfg, watch: Watch) -> Runner:
    runner = Runner.from_cfg(cfg)
    runner.register_hook(watch)
    runner.logger.warning = Mock()
    runner.train()
    return runner


def test_the_newest_two_are_kept_until_the_end(timed_cfg, tmp_path):
    run(timed_cfg, watch := Watch())
    first, second = 'resume_iter_1.pth', 'resume_iter_2.pth'
    fourth, fifth = 'resume_iter_4.pth', 'resume_iter_5.pth'
    assert watch.files == [
        [first],
        [first, second],
        [first, second],  # the epoch ends: its own checkpoint follows
        ['epoch_1.pth', second, fourth],
        ['epoch_1.pth', fourth, fifth],
        ['epoch_1.pth', fourth, fifth]
    ]
    assert [p.name for p in (tmp_path / 'run').glob('*.pth')
            ] == ['epoch_2.pth']  # max_keep_ckpts=1
    assert (tmp_path /
            'run/last_checkpoint').read_text().endswith('run/epoch_2.pth')


def test_none_is_written_before_its_time(timed_cfg):
    timed_cfg.default_hooks.checkpoint.minutes = 15
    run(timed_cfg, watch := Watch())
    assert watch.files == 3 * [[]] + 3 * [['epoch_1.pth']]


def test_accumulated_updates_are_finished_first(timed_cfg):
    timed_cfg.optim_wrapper.accumulative_counts = 2
    timed_cfg.custom_hooks.append(dict(type='mmregioncl.AccumulationHook'))
    run(timed_cfg, watch := Watch())
    timed = [name for name in watch.files[-1] if name.startswith('resume')]
    assert timed == ['resume_iter_2.pth', 'resume_iter_4.pth']


def test_clock_that_went_back_keeps_the_newest(timed_cfg):
    """Older checkpoints seem newer than the one that was just written."""
    timed_cfg.train_cfg.max_epochs = 1
    work_dir = Path(timed_cfg.work_dir)
    work_dir.mkdir(parents=True)
    for step in (100, 101):
        (path := work_dir / f'resume_iter_{step}.pth').touch()
        os.utime(path, (2e9, 2e9 + step))
    watch = Watch()
    runner = Runner.from_cfg(timed_cfg)
    runner.register_hook(watch)
    runner.train()
    assert watch.files[:2] == [['resume_iter_1.pth', 'resume_iter_101.pth'],
                               ['resume_iter_101.pth', 'resume_iter_2.pth']]


@pytest.mark.parametrize('number', STOP_SIGNALS)
@pytest.mark.parametrize('stop_at', [2, 3])
def test_a_signal_stops_at_the_end_of_the_step(timed_cfg, tmp_path, number,
                                               stop_at):
    timed_cfg.default_hooks.checkpoint.minutes = None
    with pytest.raises(SystemExit) as end:
        run(timed_cfg, Watch(stop_at, number))
    assert end.value.code == 75
    path = tmp_path / f'run/resume_iter_{stop_at}.pth'
    assert find_checkpoint(tmp_path / 'run') == str(path)
    meta = torch.load(path)['meta']
    assert (meta['epoch'], meta['iter']) == (0, stop_at)

    timed_cfg.update(
        resume=True, load_from=str(path), experiment_name='resumed')
    runner = run(timed_cfg, watch := Watch())
    assert len(watch.files) == 6 - stop_at and runner.epoch == 2
    assert not [*(tmp_path / 'run').glob('resume_*')]


class Twice(Hook):
    """Press Ctrl-C twice before the first step."""

    def before_train_iter(self, *args, **kwargs) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize('again, end', [(0, KeyboardInterrupt),
                                        (9, SystemExit)])
def test_a_second_ctrl_c_stops_at_once(timed_cfg, monkeypatch, capfd, again,
                                       end):
    """But not the one that torchrun adds at the same time."""
    monkeypatch.setattr(timed_checkpoint_hook, 'AGAIN', again)
    with pytest.raises(end):
        run(timed_cfg, Twice())
    assert capfd.readouterr().err.count('Ctrl-C again to stop at once') == 1


def test_ctrl_c_writes_a_checkpoint_if_its_message_cannot_be_written(
        timed_cfg, tmp_path, monkeypatch):
    """As in a pipe, all processes of which it stops."""
    monkeypatch.setattr(timed_checkpoint_hook.os, 'write',
                        Mock(side_effect=BrokenPipeError))
    with pytest.raises(SystemExit) as end:
        run(timed_cfg, Watch(2, signal.SIGINT))
    assert end.value.code == 75
    assert find_checkpoint(tmp_path / 'run').endswith('/resume_iter_2.pth')


def test_a_signal_ends_a_dry_run_at_once(timed_cfg, monkeypatch):
    """By the handler of before: a checkpoint would be gone at once."""
    signal.signal(signal.SIGTERM, Mock(side_effect=KeyboardInterrupt))
    monkeypatch.setattr(
        dry_run, 'announce', lambda part: part.startswith('making') and signal.
        raise_signal(signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        next(dry_run.dry_run(timed_cfg))


def stop_a_rank(cfg, rank: int) -> None:
    """End with the code of a run of which one rank gets a signal."""
    # A fork of a process that has trained is a data worker to it.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    runner = Runner.from_cfg(cfg)
    if runner.rank == rank:
        runner.register_hook(Watch(2, signal.SIGTERM))
    try:
        runner.train()
    except SystemExit as end:
        os._exit(end.code)
    os._exit(0)


def test_a_signal_to_one_rank_stops_all(timed_cfg, tmp_path):
    timed_cfg.launcher = 'pytorch'
    timed_cfg.default_hooks.checkpoint.minutes = None
    timed_cfg.train_dataloader.batch_size = 2
    assert Ranks(2).end(stop_a_rank, timed_cfg, 1) == [75, 75]
    assert find_checkpoint(tmp_path / 'run').endswith('resume_iter_2.pth')


def test_a_signal_between_epochs_stops_there(timed_cfg, tmp_path):
    """As during an evaluation."""
    timed_cfg.default_hooks.checkpoint.update(minutes=None, interval=2)

    class Signal(Hook):

        def after_train_epoch(self, runner) -> None:
            os.kill(os.getpid(), signal.SIGUSR1)

    runner = Runner.from_cfg(timed_cfg)
    runner.register_hook(Signal())
    runner.logger.warning = warned = Mock()
    with pytest.raises(SystemExit):
        runner.train()
    assert 'stopped after step 3;' in warned.call_args.args[0]
    meta = torch.load(tmp_path / 'run/resume_iter_3.pth')['meta']
    assert (meta['epoch'], meta['iter']) == (1, 3)


@pytest.fixture
def full_disk(monkeypatch):
    """Bytes that fit on the disk, free to be changed."""
    room = dict(left=2**30)
    write = Path.write_bytes

    def write_what_fits(path: Path, data: bytes) -> int:
        if len(data) > room['left']:
            write(path, data[:room['left']])
            raise OSError(errno.ENOSPC, 'No space left on device')
        return write(path, data)

    monkeypatch.setattr(Path, 'write_bytes', write_what_fits)
    return room


class Fill(Hook):
    """Fill the disk for some steps."""

    def __init__(self, room: dict, steps) -> None:
        self.room, self.steps = room, steps

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        self.room['left'] = 1000 if runner.iter + 1 in self.steps else 2**30


def test_a_full_disk_loses_nothing(timed_cfg, tmp_path, full_disk,
                                   monkeypatch):
    """Older checkpoints stay, and it tries again."""
    monkeypatch.setattr(timed_checkpoint_hook, 'RETRY', 0)
    timed_cfg.train_cfg.max_epochs = 4
    runner = Runner.from_cfg(timed_cfg)
    runner.register_hook(Fill(full_disk, range(5, 11)))
    runner.register_hook(watch := Watch())
    runner.logger.warning = warned = Mock()
    runner.train()
    assert watch.files[8] == [
        'epoch_1.pth', 'resume_iter_2.pth', 'resume_iter_4.pth'
    ]  # the third epoch's end, the second's has failed
    assert 'resume_iter_11.pth' in watch.files[10]
    assert [p.name
            for p in (tmp_path / 'run').glob('*.pth')] == ['epoch_4.pth']
    assert not [*(tmp_path / 'run').glob('*.part')]
    said = [
        call.args[0] for call in warned.call_args_list
        if call.args[0].startswith('cannot write')
    ]
    assert len(said) == 8  # two epochs, and six by time
    assert all(
        'No space left on device): make room; the last checkpoint is' in line
        for line in said)


class FillDisk(Hook):
    """Leave no room on a disk from a step on, until another."""

    def __init__(self, path: Path, begin: int, end: int) -> None:
        self.path, self.begin, self.end = path / 'filler', begin, end

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter + 1 == self.begin:
            with suppress(OSError), self.path.open('wb', buffering=0) as file:
                while True:
                    file.write(bytes(2**16))
        if runner.iter + 1 == self.end:
            self.path.unlink()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB, where one may be mounted."""
    path = tmp_path / 'run'
    path.mkdir()
    done = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', path],
        capture_output=True)
    if done.returncode:
        pytest.skip('needs the right to mount')
    yield path
    subprocess.run(['umount', '--lazy', path], check=True)


def test_a_run_outlives_a_disk_that_is_full(timed_cfg, small_disk,
                                            monkeypatch):
    """With its logs and checkpoints on it."""
    monkeypatch.setattr(timed_checkpoint_hook, 'RETRY', 0)
    timed_cfg.default_hooks.logger = dict(type='LoggerHook', interval=1)
    timed_cfg.visualizer = dict(
        type='Visualizer',
        vis_backends=[dict(type='mmregioncl.SafeVisBackend')])
    runner = Runner.from_cfg(timed_cfg)
    runner.register_hook(FillDisk(small_disk, 2, 5))
    runner.register_hook(watch := Watch())
    runner.train()
    assert watch.files == 4 * [['resume_iter_1.pth']] + 2 * [[
        'resume_iter_1.pth', 'resume_iter_5.pth'
    ]]
    assert [path.name for path in small_disk.glob('*.pth')] == ['epoch_2.pth']
    assert torch.load(small_disk / 'epoch_2.pth')['meta']['iter'] == 6
    scalars, = small_disk.glob('*/vis_data/scalars.json')
    steps = [json.loads(line)['step'] for line in scalars.open()]
    assert steps == [*range(1, 7)]


def test_a_note_that_cannot_be_written_is_named(tmp_path):
    """The checkpoint is there."""
    note = tmp_path / 'last_checkpoint'
    note.mkdir()
    hook = SafeCheckpointHook()
    hook.out_dir, hook.file_backend = str(tmp_path), LocalBackend()
    runner = Mock(work_dir=str(tmp_path))
    assert hook.write(runner, 'a.pth', {})
    said = runner.logger.warning.call_args[0][0]
    assert said.startswith(f'cannot write {note} (')
    assert said.endswith(f'the last checkpoint is {tmp_path}/a.pth')
    assert hook.last_ckpt == f'{tmp_path}/a.pth'


def test_a_full_disk_at_the_end_is_an_error(timed_cfg, tmp_path, full_disk):
    timed_cfg.default_hooks.checkpoint.minutes = None
    runner = Runner.from_cfg(timed_cfg)
    runner.register_hook(Fill(full_disk, [6]))
    with pytest.raises(
            OSError,
            match='cannot write the last checkpoint .*epo'
            'ch_2.pth: make room, and resume the run'):
        runner.train()
    assert find_checkpoint(tmp_path / 'run') == str(tmp_path /
                                                    'run/epoch_1.pth')


def test_settings_are_checked():
    with pytest.raises(ValueError, match='minutes=0 of TimedCheckpointHook'):
        TimedCheckpointHook(minutes=0)


def test_epochs_that_begin_at_the_first_image_only(timed_cfg):
    """MMEngine would repeat the whole epoch, and count its steps twice."""
    timed_cfg.train_dataloader.sampler.type = 'DefaultSampler'
    timed_cfg.default_hooks.checkpoint.interval = 2
    runner = run(timed_cfg, watch := Watch())
    assert watch.files == 3 * [[]] + 3 * [['resume_iter_3.pth']]
    assert 'checkpoints are written only at the end of epochs' in '\n'.join(
        call.args[0] for call in runner.logger.warning.call_args_list)


def test_iteration_based_runs_are_written_by_time(timed_cfg, tmp_path):
    timed_cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=4)
    timed_cfg.train_dataloader.sampler.type = 'InfiniteSampler'
    timed_cfg.default_hooks.checkpoint.update(by_epoch=False, interval=2)
    run(timed_cfg, watch := Watch())
    assert watch.files[1:3] == [['iter_2.pth', 'resume_iter_1.pth'],
                                [
                                    'iter_2.pth', 'resume_iter_1.pth',
                                    'resume_iter_3.pth'
                                ]]
    assert [p.name for p in (tmp_path / 'run').glob('*.pth')] == ['iter_4.pth']


def test_the_best_is_kept_on_a_full_disk(timed_cfg, tmp_path, full_disk):
    """MMEngine removes it before it writes the next."""
    timed_cfg.default_hooks.checkpoint.update(
        type='mmregioncl.SafeCheckpointHook', save_best='acc', rule='greater')
    del timed_cfg.default_hooks.checkpoint['minutes']
    timed_cfg.custom_hooks = []  # no GuardHook, which would refuse it
    runner = run(timed_cfg, Watch())
    hook = next(h for h in runner.hooks if isinstance(h, SafeCheckpointHook))

    def best(accuracy: float) -> list:
        hook._save_best_checkpoint(runner, dict(acc=accuracy))
        return [p.name for p in (tmp_path / 'run').glob('best_*')]

    runner.train_loop._epoch = 1
    assert best(0.1) == ['best_acc_epoch_1.pth']
    runner.train_loop._epoch = 2
    full_disk['left'] = 1000
    assert best(0.2) == ['best_acc_epoch_1.pth']
    assert runner.message_hub.get_info('best_score') == 0.1
    full_disk['left'] = 2**30
    assert best(0.2) == ['best_acc_epoch_2.pth']
    assert best(0.1) == ['best_acc_epoch_2.pth']
    original = tmp_path / 'original' / 'best_acc_epoch_2.pth'
    original.parent.mkdir()
    original.touch()  # this run is a copy, and goes on with a run of its own
    runner.message_hub.update_info('best_ckpt', str(original))
    runner.train_loop._epoch = 3
    assert best(0.3) == ['best_acc_epoch_3.pth']
    assert original.exists()


def test_a_stop_without_any_checkpoint_is_an_error(timed_cfg, full_disk):
    full_disk['left'] = 1000
    timed_cfg.default_hooks.checkpoint.minutes = None
    with pytest.raises(SystemExit) as end:
        run(timed_cfg, Watch(2, signal.SIGTERM))
    assert end.value.code == 1


def test_no_checkpoint_is_removed_that_nothing_replaces(timed_cfg, tmp_path):
    timed_cfg.default_hooks.checkpoint.update(save_last=False, interval=9)
    run(timed_cfg, Watch())
    assert sorted(p.name for p in (tmp_path / 'run').glob('*.pth')) == [
        'resume_iter_4.pth', 'resume_iter_5.pth'
    ]
