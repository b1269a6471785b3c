import shutil
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock, call

import pytest
from mmengine.device import get_device
from mmengine.runner import Runner
from torch import nn

from mmregioncl.datasets.nested import type_name
from mmregioncl.dry_run import dry_run
from mmregioncl.engine.messages.summary import (counted, describe_data,
                                                end_of_run, every,
                                                next_commands)
from mmregioncl.hooks import RunSummaryHook


@pytest.fixture
def runner(runner_cfg, image_folder, tmp_path):
    """12 images beside three other files, two of one kind."""
    folder = tmp_path / 'images'
    shutil.copytree(image_folder, folder)
    for name in ('a.txt', 'b.TXT', 'LICENSE', '.hidden'):
        (folder / name).touch()
    runner_cfg.train_dataloader.dataset.data_root = str(folder)
    runner_cfg.train_dataloader.num_workers = 0
    runner_cfg.train_dataloader.persistent_workers = False
    return Runner.from_cfg(runner_cfg)


def test_a_run_says_what_it_does_and_when_it_ends(runner, tmp_path):
    runner.logger.info = Mock()
    runner.register_hook(RunSummaryHook(steps=2))
    runner.train()
    lines = [call.args[0] for call in runner.logger.info.call_args_list]
    # The first of all that is done before training
    said = (f'RegionCLMoCo on 12 images of {tmp_path}/images (skipped 3 other '
            'files: 1 without extension, 2 .txt): 2 epochs of 3 steps of 4 '
            f'images, on cpu; checkpoints and log in {tmp_path}/run')
    assert said in lines
    assert lines.index(said) < min(
        number for number, line in enumerate(lines)
        if line.startswith('Checkpoints will be saved'))
    line, = (line for line in lines if 'steps left' in line)
    assert line.startswith('3 steps left at ')

    told = next_commands(runner, 'mine.py', Path('tools'))
    checkpoint = f'{tmp_path}/run/epoch_2.pth'
    assert told.splitlines() == [
        f'checkpoint  {checkpoint}',
        f'log         {runner.log_dir}/{runner.timestamp}.log',
        f'evaluate    python tools/evaluate.py mine.py {checkpoint} --out '
        f'{tmp_path}/run/evaluation --train DIR --test DIR',
        'export      python tools/model_converters/extract_backbone.py '
        f'{checkpoint} backbone.pth',
        f'fine-tune   python tools/train.py CONFIG --pretrained {checkpoint}',
        f'go on       python tools/train.py mine.py --work-dir {tmp_path}/run '
        '--resume --cfg-options train_cfg.max_epochs=4',
    ]
    assert Path(told.splitlines()[1].split()[1]).exists()
    runner.cfg.work_dir = 'mine/run'  # as if started in the folder above
    told = next_commands(runner, 'mine.py', Path('tools'))
    assert 'mine/run/epoch_2.pth --out mine/run/evaluation' in told
    assert str(tmp_path) not in told
    for end, differs in ((2, True), (4, False), (6, True)):
        runner.param_schedulers = [
            SimpleNamespace(begin=0, end=end, by_epoch=True)
        ]
        told = next_commands(runner, 'mine.py', Path('tools'))
        assert told.endswith(
            '  # and let param_scheduler end with it') == differs
    runner.param_schedulers[0].end = 2
    cosine = dict(type='CosineAnnealingLR', T_max=2, end=2)
    runner.cfg.param_scheduler = [cosine]
    told = next_commands(runner, 'mine.py', Path('tools'))
    assert told.endswith('--cfg-options train_cfg.max_epochs=4 '
                         'param_scheduler.0.T_max=4 param_scheduler.0.end=4')
    for other in ([cosine, cosine], [dict(cosine, by_epoch=False)]):
        runner.cfg.param_scheduler = other
        told = next_commands(runner, 'mine.py', Path('tools'))
        assert told.endswith('  # and let param_scheduler end with it')

    runner.cfg.param_scheduler = [cosine]
    runner.train_loop.stop_training = True  # in the last epoch
    told = next_commands(runner, 'mine.py', Path('tools'))
    assert told.endswith('--resume --cfg-options train_cfg.max_epochs=4 '
                         'param_scheduler.0.T_max=4 param_scheduler.0.end=4  '
                         '# with a larger patience of EarlyStoppingHook')
    runner.param_schedulers = [  # a warm-up
        SimpleNamespace(begin=0, end=20, by_epoch=True, end_factor=1)
    ]
    told = next_commands(runner, 'mine.py', Path('tools'))
    assert '  # and let param_scheduler end with it' in told
    runner.train_loop._iter = 3  # of 6
    told = next_commands(runner, 'mine.py', Path('tools'))
    assert told.endswith(
        '--resume  # with a larger patience of EarlyStoppingHook')


@pytest.mark.parametrize('dry', [False, True])
def test_a_run_without_steps_is_refused(runner_cfg, dry):
    """Also in a config of a host, which has no guard."""
    runner_cfg.update(default_hooks={}, custom_hooks=[])
    runner_cfg.train_dataloader.batch_size = 13
    with pytest.raises(ValueError, match='^12 images are fewer than one b'):
        if dry:
            next(dry_run(runner_cfg))
        else:
            runner = Runner.from_cfg(runner_cfg)
            runner.register_hook(RunSummaryHook())
            runner.train()


def test_an_endless_sampler_fills_any_batch(runner_cfg, monkeypatch):
    """Though the length of the loader is zero.

    A dry run says what comes next, at once.
    """
    said = Mock()
    monkeypatch.setattr('builtins.print', said)
    monkeypatch.delattr('mmregioncl.dry_run.first_sample')  # of the guard
    runner_cfg.default_hooks = dict(
        checkpoint=None, logger=dict(type='LoggerHook', interval=1))
    runner_cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=4)
    runner_cfg.train_dataloader.update(
        batch_size=13,
        num_workers=0,
        persistent_workers=False,
        sampler=dict(type='InfiniteSampler'))
    lines = [*dry_run(runner_cfg)]
    assert 'log          every step, to terminal and log file' in lines
    assert any('4 in an epoch, 4 in all, on 1 process' in one for one in lines)
    assert said.mock_calls == [
        call(line, flush=True) for line in (
            f'building {type_name(runner_cfg.model)} and its data sets ...',
            'checking settings, 12 images and the first step ...',
            f'making 3 steps of 13 images on {get_device()} ...',
            'loading 8 images ...')
    ]


def test_one_is_no_plural():
    assert [counted(1, 'step'), counted(2, 'step')] == ['1 step', '2 steps']
    assert [every(1, 'epoch'),
            every(2, 'epoch')] == ['every epoch', 'every 2 epochs']


def test_data_of_any_kind():
    """Others have neither other files nor, perhaps, a folder."""
    assert describe_data(range(5)) == '5 images of range'


def test_a_run_without_checkpoints():
    runner = SimpleNamespace(
        message_hub=Mock(get_info=lambda name: None), work_dir='run', cfg={})
    assert next_commands(runner, 'mine.py', Path('tools')) == \
        'no checkpoint was written to run'


def test_the_end_has_a_date_if_it_is_far_away():
    assert len(end_of_run(1, 60)) == len('12:34')
    assert len(end_of_run(1, 100000)) == len('2026-12-01 12:34')


def test_the_best_checkpoint_is_named():
    hub = Mock(
        get_info=lambda name: 'run/epoch_2.pth',
        runtime_info=dict(
            best_ckpt_knn='run/best_knn.pth', best_ckpt_std=None))
    runner = Mock(
        message_hub=hub,
        model=nn.Identity(),
        cfg={},
        log_dir='',
        work_dir='',
        iter=1,
        max_iters=2,
        param_schedulers=None)
    tools = Path('tools/benchmarks/mmdetection/../..')  # as train.sh has it
    lines = next_commands(runner, 'mine.py', tools).splitlines()
    assert ' python tools/train.py mine.py ' in lines[3]
    assert lines[2].split() == ['best', 'run/best_knn.pth']
