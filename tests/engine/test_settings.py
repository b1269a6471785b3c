"""docs/settings.md: what each setting of MMEngine does in pre-training."""
import copy
import math
import re
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from mmengine.registry import DATASETS, PARAM_SCHEDULERS
from mmengine.runner import Runner
from tensorboard.backend.event_processing.event_accumulator import \
    EventAccumulator
from torch import nn

from mmregioncl import host
from mmregioncl.engine.checks import check_images, check_schedule, images
from mmregioncl.engine.checks.settings import check_clipping
from mmregioncl.visualization import read_scalars

SCOPES = dict(EpochBasedTrainLoop='mmengine', SeededTrainLoop='mmregioncl')
APPLY = dict(type='RandomApply', prob=3, transforms=[])
LOOP = dict(type='IterBasedTrainLoop', max_iters=3)
SIMSIAM = dict(type='SimSiamHook', fix_pred_lr=True, lr=0.1)
BY_ITER = dict(by_epoch=False, interval=2)


def average(**settings) -> dict:
    return dict(custom_hooks=[
        dict(type='mmregioncl.GuardHook'),
        dict(type='EMAHook', **settings)
    ])


def start(cfg, work_dir, settings) -> tuple:
    """A runner with some settings, and a list of its warnings to come."""
    cfg = copy.deepcopy(cfg)
    cfg.update(work_dir=str(work_dir), experiment_name=str(work_dir))
    for key, value in settings.items():
        if key == 'train_cfg':
            cfg[key] = value
        else:
            cfg.merge_from_dict({key: value})
    runner = Runner.from_cfg(cfg)
    runner.logger.warning = warned = Mock()
    return runner, warned


@pytest.fixture
def settings_cfg(seeded_runner_cfg):
    """Two epochs of one step of twelve images."""
    cfg = seeded_runner_cfg
    cfg.train_dataloader.batch_size = 12
    cfg.model.queue_len = 8
    cfg.randomness = dict(seed=0)
    cfg.default_hooks = {}
    cfg.default_scope = 'mmregioncl'
    return cfg


def loop_of(cfg, split: str, kind: str) -> dict:
    loader = {
        key: value
        for key, value in cfg.train_dataloader.items() if key != 'drop_last'
    }
    return {
        f'{split}_dataloader': loader,
        f'{split}_cfg': dict(type=kind),
        f'{split}_evaluator': dict(type='Accuracy')
    }


@pytest.mark.parametrize('split, kind', [('val', 'ValLoop'),
                                         ('test', 'TestLoop')])
def test_loops_that_need_predictions_are_refused(settings_cfg, tmp_path, split,
                                                 kind):
    runner, _ = start(settings_cfg, tmp_path / 'run',
                      loop_of(settings_cfg, split, kind))
    with pytest.raises(
            ValueError,
            match=f'RegionCLMoCo cannot predict, which a {split} loop needs: '
            f'remove {split}_dataloader, {split}_cfg and {split}_evaluator'):
        runner.train()


@pytest.mark.parametrize('settings, words', [
    (dict(env_cfg=dict(cudnn_benchmrk=True)),
     'cudnn_benchmrk in env_cfg is not supported: use one of cudnn_benchmark,'
     ),
    ({
        'optim_wrapper.clip_grad': dict(max_nrom=1.)
    },
     'max_nrom in optim_wrapper.clip_grad is not supported: use one of .*max_n'
     ),
    ({
        'optim_wrapper.clip_grad': dict(max_norm=-1.)
    }, 'max_norm=-1.0 of clip_grad has to be a positive number'),
    ({
        'optim_wrapper.clip_grad': dict(type='value', clip_val=1.)
    },
     'clip_val in optim_wrapper.clip_grad is not supported: use one of clip_v'
     ),
    ({
        'default_hooks.checkpoint': dict(type='CheckpointHook', intervals=1)
    },
     'intervals in CheckpointHook is not supported: use one of .*, interval,'),
    ({
        'default_hooks.checkpoint':
        dict(type='mmregioncl.TimedCheckpointHook', minute=1)
    },
     'minute in TimedCheckpointHook .* max_keep_ckpts, meta, minutes, out_d'),
    ({
        'train_dataloader.batch_size': 1
    }, 'train_dataloader.batch_size=1, but RegionCLMoCo needs 2 images: set'),
    ({
        'train_dataloader.sampler.type': 'InfiniteSampler'
    }, 'an epoch of InfiniteSampler never ends'),
    (dict(train_cfg=LOOP, param_scheduler=[dict(type='StepLR', step_size=1)]),
     'by_epoch=True of StepLR counts epochs, but an IterBasedTrainLoop is '),
    ({
        'train_cfg': LOOP,
        'default_hooks.checkpoint': dict(type='CheckpointHook', interval=1)
    }, 'interval=1 of CheckpointHook counts epochs'),
    ({
        'default_hooks.sampler_seed': None
    }, 'default_hooks.sampler_seed=None disables the updates of the or'),
    ({
        'default_hooks.runtime_info': None
    }, 'default_hooks.runtime_info=None disables the updates of mo'),
    ({
        'default_hooks.param_scheduler': None,
        'param_scheduler': [dict(type='StepLR', step_size=1)]
    }, 'default_hooks.param_scheduler=None disables the updates of param_'),
    ({
        'optim_wrapper.paramwise_cfg': dict(bias_dcay_mult=0.)
    },
     'bias_dcay_mult in paramwise_cfg is not supported: use one of bias_dec'),
    ({
        'optim_wrapper.paramwise_cfg':
        dict(custom_keys=dict(neck=dict(lr_mul=0.1)))
    }, 'lr_mul in paramwise_cfg.custom_keys of neck is not supported'),
    ({
        'optim_wrapper.paramwise_cfg':
        dict(custom_keys=dict(neck=dict(fix_lr=True)))
    }, 'fix_lr in .* of neck has no effect without a SimSiamHook'),
    (dict(
        custom_hooks=[dict(type='mmregioncl.GuardHook'), SIMSIAM],
        param_scheduler=[
            dict(type='LinearLR', end=2, convert_to_iter_based=True)
        ]), 'SimSiamHook sets .* set adjust_by_epoch=False of SimSiamHook'),
    ({
        'auto_scale_lr': dict(enable=True, base_batch_size=6),
        'optim_wrapper.accumulative_counts': 2
    }, 'auto_scale_lr ignores accumulative_counts=2'),
    (dict(
        auto_scale_lr=dict(enable=True, base_batch_size=6),
        custom_hooks=[dict(type='mmregioncl.GuardHook'), SIMSIAM
                      ]), 'auto_scale_lr does not scale lr of SimSiamHook'),
    (dict(
        auto_scale_lr=dict(enable=True, base_batch_size=6),
        param_scheduler=[dict(type='OneCycleLR', eta_max=1., total_steps=2)]),
     'auto_scale_lr does not scale eta_max of OneCycleLR'),
    (dict(param_scheduler=[
        dict(type='OneCycleLR', eta_max=1., total_steps=1, by_epoch=False)
    ]), 'total_steps=1 of OneCycleLR is shorter than the run: set it to 2'),
    (dict(param_scheduler=[
        dict(type='LinearLR', start_factor=0.1, end=1, by_epoch=False)
    ]), 'LinearLR from begin=0 to end=1 is never undone'),
    ({
        'optim_wrapper.accumulative_counts': 3
    }, 'optim_wrapper.accumulative_counts=3 exceeds the 2 steps of the run'),
    ({
        'train_dataloader.dataset.pipeline.1.transforms': [[APPLY]]
    }, 'prob=3 of RandomApply has to be a probability, from 0 to 1'),
    (dict(activation_checkpointing=['backbone.layer9']),
     'activation_checkpointing: there is no module backbone.layer9 in the Reg'
     ),
    (dict(efficient_conv_bn_eval='bacbone'),
     'efficient_conv_bn_eval: there is no module bacbone in the Region'),
    (dict(compile=dict(backend='inductr')),
     "compile={'backend': 'inductr'} is not accepted by torch.compile: .*"),
    (dict(compile=dict(mode='reduce-overhed')),
     "'reduce-overhed'} is not accepted by torch.compile: Unrecognized mode="),
    (average(interval=0), 'interval=0 of EMAHook has to be a whole number'),
    (average(interval=2), 'interval=2 of EMAHook is no shorter than the run, '
     'of 2 steps: lower it'),
    (dict(
        custom_hooks=[dict(type='mmregioncl.GuardHook')],
        **{'optim_wrapper.accumulative_counts': 2
           }), 'accumulative_counts=2 needs the AccumulationHook'),
    ({
        'train_dataloader.collate_fn': dict(type='pseudo_collate')
    }, 'train_dataloader.collate_fn does not join images into a batch'),
    (average(momentum=2.), 'momentum=2.0 of EMAHook has to be between 0 and'),
    (average(begin_epoch=999), 'begin_epoch=999 of EMAHook is after the end of'
     ' the run: lower it to 2 or less'),
    (average(begin_iter=3),
     'begin_iter=3 of EMAHook .* lower it to 2 or less'),
    (dict(
        visualizer=dict(
            type='Visualizer', vis_backends=[dict(type='WandbVisBackend')])),
     'pip install wandb'),
    (dict(model_wrapper_cfg=dict(type='Nonsense'),
          launcher='nonsense'), 'Invalid launcher type: nonsense'),
])
def test_settings_without_effect_are_refused(settings_cfg, tmp_path, settings,
                                             words):
    kinds = ValueError, ImportError, AttributeError
    with pytest.raises(kinds, match=words):
        start(settings_cfg, tmp_path / 'run', settings)[0].train()


@pytest.mark.parametrize('settings, words', [
    ({
        'train_cfg.val_interval': 5
    }, 'val_interval in train_cfg has no effect without a validation loop'),
    ({
        'optim_wrapper.paramwise_cfg':
        dict(custom_keys=dict(nck=dict(lr_mult=0.1)))
    }, 'nck in paramwise_cfg.custom_keys matches no parameter'),
    (dict(
        log_processor=dict(
            type='LogProcessor', custom_cfg=[dict(data_src='los')])),
     r"data_src='los' in log_processor.custom_cfg adds .* it \(loss\?\): co"),
    (dict(activation_checkpointing=['backbone.layer1']),
     'activation_checkpointing of backbone.layer1 updates the statistics'),
    (dict(param_scheduler=[
        dict(type='CosineAnnealingLR', T_max=1, by_epoch=False)
    ]), 'is scheduled for 1 of 2 iters: set T_max and end of CosineAnnealin'),
    (dict(param_scheduler=[
        dict(type='OneCycleLR', eta_max=1., total_steps=9, by_epoch=False)
    ]), 'for 9 of 2 iters: set total_steps and end of OneCycleLR to train_cf'),
    (dict(param_scheduler=[
        dict(type='CosineAnnealingLR', T_max=2, end=1, by_epoch=False)
    ]), 'is scheduled for 1 of 2 iters: set T_max and end of CosineAnnealin'),
    (dict(param_scheduler=[
        dict(
            type='CosineRestartLR',
            periods=[1],
            restart_weights=[1],
            eta_min=0.,
            by_epoch=False)
    ]),
     'for 1 of 2 iters: set periods and end of CosineRestartLR to train_cf'),
    (dict(param_scheduler=[dict(type='MultiStepLR', milestones=[1, 9])]),
     r'milestones=\[9\] of MultiStepLR come after the end of the run'),
    (dict(
        train_cfg=LOOP,
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', **BY_ITER)),
        custom_hooks=[
            dict(type='mmregioncl.GuardHook'),
            dict(
                type='mmregioncl.RepresentationHealthHook',
                samples=4,
                batch_size=4)
        ]), 'RepresentationHealthHook evaluates after epochs, but an Iter'),
])
def test_others_are_warned_of(settings_cfg, tmp_path, settings, words):
    settings.setdefault(
        'train_dataloader.sampler.type', 'InfiniteSampler' if 'max_iters'
        in settings.get('train_cfg', {}) else 'mmregioncl.SeededSampler')
    runner, warned = start(settings_cfg, tmp_path / 'run', settings)
    runner.train()
    said = [call.args[0] for call in warned.call_args_list]
    assert any(re.search(words, line) for line in said), said


@pytest.mark.parametrize('scheduler, warned', [
    (dict(type='LinearLR', start_factor=0.1, end=2), 0),
    (dict(type='ConstantLR', factor=0.1, end=2), 0),
    (dict(type='LinearLR', end_factor=0.5, end=2), 1),
    (dict(type='LinearLR', start_factor=0.1, end=9), 1),
])
def test_a_warm_up_alone_may_end_early(scheduler, warned):
    """If it leaves the rate at that of the optimizer."""
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1)
    built = PARAM_SCHEDULERS.build(
        dict(scheduler, optimizer=optimizer, by_epoch=False))
    runner = Mock(train_dataloader=[0], param_schedulers=[built], max_iters=6)
    check_schedule(runner)
    assert runner.logger.warning.call_count == warned


def test_norms_may_be_logged_without_a_limit():
    wrapper = Mock(
        clip_func=nn.utils.clip_grad_norm_,
        clip_grad_kwargs=dict(max_norm=math.inf))
    check_clipping(Mock(optim_wrapper=wrapper))


@pytest.fixture(scope='module')
def many_settings(request):
    """A run with many settings, that all work side by side."""
    runs = {}

    def run(cfg, work_dir, name: str, settings: dict) -> Runner:
        if name not in runs:
            runs[name], _ = start(cfg, work_dir, settings)
            runs[name].train()
        return runs[name]

    return run


@pytest.fixture
def epochs(settings_cfg, tmp_path_factory, many_settings):
    folder = settings_cfg.train_dataloader.dataset
    labelled = dict(folder, type=host.qualified('CustomDataset'))
    settings_cfg.train_dataloader.dataset = dict(
        type='ConcatDataset',
        ignore_keys=['classes'],
        datasets=[
            dict(type='RepeatDataset', times=2, dataset=folder),
            dict(
                type='ClassBalancedDataset',
                oversample_thr=0.6,
                dataset=labelled)
        ])
    return many_settings(
        settings_cfg, tmp_path_factory.mktemp('epochs'), 'epochs', {
            'optim_wrapper.optimizer':
            dict(type='LARS', lr=0.1, momentum=0.9, weight_decay=0.1),
            'optim_wrapper.clip_grad':
            dict(max_norm=1.),
            'optim_wrapper.paramwise_cfg':
            dict(
                bias_decay_mult=0.,
                custom_keys={
                    'mlp.0':
                    dict(lr_mult=0.1, decay_mult=2., lars_exclude=True, own=3)
                }),
            'param_scheduler': [
                dict(
                    type='CosineAnnealingLR',
                    T_max=2,
                    end=2,
                    convert_to_iter_based=True)
            ],
            'auto_scale_lr':
            dict(enable=True, base_batch_size=6),
            'efficient_conv_bn_eval':
            'backbone',
            'find_unused_parameters':
            True,
            'sync_bn':
            'torch',
            'custom_hooks': [
                dict(type='mmregioncl.GuardHook'),
                dict(type='EMAHook', momentum=0.5)
            ],
            'default_hooks.logger':
            dict(type='LoggerHook', interval=2, ignore_last=False),
            'log_processor':
            dict(
                window_size=1,
                custom_cfg=[
                    dict(
                        data_src='loss',
                        log_name='loss_of_all',
                        method_name='mean',
                        window_size='global')
                ]),
            'visualizer':
            dict(
                type='Visualizer',
                vis_backends=[
                    dict(type='mmregioncl.SafeVisBackend'),
                    dict(type='TensorboardVisBackend')
                ]),
            'default_hooks.checkpoint':
            dict(type='mmregioncl.TimedCheckpointHook', interval=1)
        })


class Compiled(partial):
    """A function that is not compiled, with the settings for that."""

    def __new__(cls, call, **settings):
        given = super().__new__(cls, call)
        given.settings = settings
        return given


@pytest.fixture
def iterations(settings_cfg, tmp_path_factory, many_settings, monkeypatch):
    monkeypatch.setattr(torch, 'compile', Compiled)
    return many_settings(
        settings_cfg, tmp_path_factory.mktemp('iterations'), 'iterations', {
            'train_cfg':
            dict(type='IterBasedTrainLoop', max_iters=4),
            'train_dataloader.sampler.type':
            'InfiniteSampler',
            'param_scheduler': [
                dict(
                    type='OneCycleLR',
                    eta_max=0.3,
                    total_steps=4,
                    by_epoch=False)
            ],
            'compile':
            dict(mode='default'),
            'visualizer':
            None,
            'log_processor':
            dict(by_epoch=False),
            'default_hooks.logger':
            None,
            'default_hooks.timer':
            None,
            'default_hooks.checkpoint':
            dict(type='CheckpointHook', **BY_ITER)
        })


def groups_of(runner) -> dict:
    names = [
        name for name, part in runner.model.named_parameters()
        if part.requires_grad
    ]
    return dict(zip(names, runner.optim_wrapper.optimizer.param_groups))


def test_data_sets_are_repeated_joined_and_balanced(epochs):
    assert len(epochs.train_dataloader.dataset) == 2 * 12 + 2 * 12
    assert epochs.iter == 8


def test_paramwise_settings_reach_the_optimizer(epochs):
    groups = groups_of(epochs)
    neck, bias, other = (
        groups[name] for name in ('neck.mlp.0.weight', 'neck.mlp.2.bias',
                                  'backbone.conv1.weight'))
    assert neck['initial_lr'] == pytest.approx(0.1 * other['initial_lr'])
    assert neck['weight_decay'] == pytest.approx(0.2)
    assert neck['lars_exclude'] is True and 'lars_exclude' not in other
    assert other['weight_decay'] == 0.1
    assert type(epochs.optim_wrapper.optimizer).__name__ == 'LARS'
    assert bias['weight_decay'] == 0.
    assert neck['own'] == 3  # of a setting that MMEngine does not know


def test_gradients_are_clipped_and_their_norm_is_logged(epochs):
    assert len(epochs.message_hub.get_scalar('train/grad_norm').data[0]) == 8


def test_learning_rate_is_scaled_by_the_batch(epochs):
    assert groups_of(epochs)['backbone.conv1.weight']['initial_lr'] == 0.2


def test_schedules_by_epoch_can_change_in_each_step(epochs):
    rates = epochs.message_hub.get_scalar('train/base_lr').data[0]
    assert len(set(rates.tolist())) == 8


def test_logs_have_what_was_asked_for(epochs):
    row = read_scalars(epochs.work_dir)[-1]
    assert {'loss_of_all', 'loss_region', 'grad_norm'} <= set(row)
    losses = epochs.message_hub.get_scalar('train/loss').data[0]
    assert row['loss_of_all'] == pytest.approx(losses.mean(), rel=1e-5)
    events, = Path(epochs.work_dir).rglob('events.out.*')
    board = EventAccumulator(str(events))
    board.Reload()
    assert 'loss_of_all' in board.Tags()['scalars']


def test_checkpoints_hold_the_average(epochs):
    saved = torch.load(Path(epochs.work_dir) / 'epoch_2.pth')
    hook = next(hook for hook in epochs.hooks if hasattr(hook, 'ema_model'))
    name = 'backbone.conv1.weight'
    averaged = hook.ema_model.module.state_dict()[name]
    assert torch.equal(saved['state_dict'][name], averaged)
    raw = epochs.model.state_dict()[name]
    assert torch.equal(saved['ema_state_dict'][f'module.{name}'], raw)
    assert not torch.equal(averaged, raw)


def test_seed_is_that_of_the_run(epochs):
    assert epochs.seed == 0
    assert epochs.train_dataloader.sampler.seed == 0


def test_iterations_and_their_schedule(iterations):
    assert iterations.iter == 4
    rates = iterations.message_hub.get_scalar('train/lr').data[0]
    assert rates.argmax() == 1 and rates[-1] < 0.01
    assert sorted(p.name for p in Path(iterations.work_dir).glob('*.pth')) == [
        'iter_2.pth', 'iter_4.pth'
    ]


def test_training_steps_are_compiled(iterations):
    """The setting arrives; test_online_hooks has a compiled model."""
    step = vars(iterations.model)['train_step']
    assert step.settings == dict(mode='default')
    assert step.func.__func__ is type(iterations.model).train_step


def test_hooks_can_be_left_out(iterations):
    kinds = {type(hook).__name__ for hook in iterations.hooks}
    assert not {'LoggerHook', 'IterTimerHook'} & kinds


def test_missing_checkpoints_are_refused(settings_cfg, tmp_path):
    runner, _ = start(settings_cfg, tmp_path / 'run',
                      dict(load_from='nowhere.pth'))
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        runner.train()


def wrapped(cfg, work_dir) -> tuple:
    """What a process makes of settings for several of them."""
    cfg.launcher = 'pytorch'
    found = []
    for settings in (dict(find_unused_parameters=True),
                     dict(model_wrapper_cfg=dict(broadcast_buffers=True))):
        runner, _ = start(cfg, f'{work_dir}/{[*settings]}', settings)
        runner.train()
        model = runner.model
        found.append((model.find_unused_parameters, model.broadcast_buffers,
                      runner.iter))
    return found


def test_settings_of_several_processes_arrive(settings_cfg, tmp_path,
                                              two_ranks):
    settings_cfg.train_dataloader.batch_size = 6
    settings_cfg.train_cfg.max_epochs = 1
    for found in two_ranks(wrapped, settings_cfg, tmp_path):
        assert found == [(True, False, 1), (False, True, 1)]


@pytest.mark.parametrize('loop', ['EpochBasedTrainLoop', 'SeededTrainLoop'])
def test_samplers_of_the_host_repeat_images(settings_cfg, tmp_path, loop):
    """Batches are those of the sampler, in loops of either package."""
    runner, _ = start(
        settings_cfg, tmp_path / 'run', {
            'train_cfg':
            dict(type=f'{SCOPES[loop]}.{loop}', max_epochs=1),
            'train_dataloader.sampler':
            dict(_delete_=True, type=host.qualified('RepeatAugSampler'))
        })
    rows = [*runner.train_dataloader.sampler]
    assert rows[0] == rows[1] == rows[2]
    runner.train()
    assert runner.iter == 1


def synchronised(cfg, work_dir) -> str:
    """What is said of it on a process."""
    cfg.launcher = 'pytorch'
    with pytest.raises(ValueError) as info:
        start(cfg, work_dir, dict(sync_bn='torch'))
    return str(info.value)


def test_synchronized_batch_norm_is_refused_on_cpus(settings_cfg, tmp_path,
                                                    two_ranks):
    """By PyTorch, once MMEngine has converted the model."""
    for said in two_ranks(synchronised, settings_cfg, tmp_path):
        assert said == 'SyncBatchNorm layers only work with GPU modules'


SOURCES = dict(batch_size=4, source_ratio=[1, 1])


@pytest.mark.parametrize('labels, loop, sampler, words', [
    (True, 'Epoch', dict(type='mmdet.ClassAwareSampler'), None),
    (False, 'Epoch', dict(type='mmdet.ClassAwareSampler'),
     'must contain `classes`'),
    (False, 'Epoch',
     dict(type='mmdet.CustomSampleSizeSampler', dataset_size=[6, 6]), None),
    (False, 'Iter', dict(type='mmdet.MultiSourceSampler', **SOURCES), None),
    (False, 'Epoch', dict(type='mmdet.MultiSourceSampler', **SOURCES),
     'an epoch of MultiSourceSampler never ends: set train_dataloader.samp'),
    (False, 'Iter', dict(type='mmdet.GroupMultiSourceSampler', **
                         SOURCES), 'width'),
    (False, 'Epoch', dict(type='mmdet.TrackImgSampler'), 'BaseVideoDataset'),
    (False, 'Epoch', None, 'width'),
])
def test_samplers_of_mmdetection(settings_cfg, tmp_path, labels, loop, sampler,
                                 words):
    """None stands for its batch sampler."""
    loader = settings_cfg.train_dataloader
    loader.batch_size = 4
    if labels:
        loader.dataset.type = host.qualified('CustomDataset')
    if sampler is None:
        del loader['drop_last']
        loader.batch_sampler = dict(
            type='mmdet.AspectRatioBatchSampler', drop_last=True)
    else:
        loader.sampler = sampler
        if len(sampler) > 1:
            loader.dataset = dict(
                type='ConcatDataset', datasets=[loader.dataset] * 2)
    span = dict(max_iters=3) if loop == 'Iter' else dict(max_epochs=1)
    settings = dict(train_cfg=dict(type=f'{loop}BasedTrainLoop', **span))
    if loop == 'Iter':
        settings['default_hooks.checkpoint'] = dict(
            type='CheckpointHook', **BY_ITER)
    if words:
        kinds = AssertionError, KeyError, ValueError
        with pytest.raises(kinds, match=words):
            start(settings_cfg, tmp_path / 'run', settings)[0].train()
    else:
        runner, _ = start(settings_cfg, tmp_path / 'run', settings)
        runner.train()
        assert runner.iter == 3


@pytest.mark.parametrize('indices', [12, 13, -13])
def test_more_images_than_there_are_are_warned_of(indices, image_folder,
                                                  monkeypatch):
    monkeypatch.setattr(images, 'print_log', warned := Mock())
    check_images(
        DATASETS.build(
            dict(
                type='mmregioncl.CustomDataset',
                data_root=str(image_folder),
                pipeline=[],
                indices=indices)))
    assert warned.called == (indices != 12)
