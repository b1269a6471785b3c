"""Hooks and schedules that act on what evaluation hooks measure."""
import copy
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from mmengine.dist import get_rank
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner

from mmregioncl.engine.metrics import Metrics, measured
from mmregioncl.engine.optimizers import plateaus
from mmregioncl.evaluation import class_folder, extract_features, load_model
from mmregioncl.hooks import (EarlyStoppingHook, OnlineKNNHook,
                              SafeCheckpointHook)
from mmregioncl.hooks.evaluation_hook import EvaluationHook


class Scores(EvaluationHook):
    """Measure what was written down for each epoch."""

    def __init__(self, scores) -> None:
        super().__init__(interval=1, batch_size=1, num_workers=0)
        self.scores = scores

    def metric_names(self, runner) -> list:
        return ['knn/score']

    def passes(self, runner) -> int:
        return 1

    def evaluate(self, runner) -> dict:
        score = self.scores[runner.epoch]
        return {} if score is None else {'knn/score': score - get_rank()}


class Kill(Hook):
    """End the run after an epoch, when its checkpoint was written."""
    priority = 'LOWEST'

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def after_train_epoch(self, runner) -> None:
        if runner.epoch + 1 == self.epoch:
            raise KeyboardInterrupt


@pytest.fixture
def metric_cfg(seeded_runner_cfg):
    """Epochs of one step; checkpoints by MMEngine, and the best."""
    cfg = seeded_runner_cfg
    cfg.train_cfg.max_epochs = 6
    cfg.train_dataloader.batch_size = 12
    cfg.model.queue_len = 8
    cfg.randomness = dict(seed=0)
    cfg.default_hooks.checkpoint.update(save_best='knn/score', rule='greater')
    return cfg


def run(cfg, scores, *hooks, **settings) -> Runner:
    cfg = copy.deepcopy(cfg)
    cfg.update(
        settings, experiment_name=f'{cfg.experiment_name}{len(settings)}')
    runner = Runner.from_cfg(cfg)
    for hook in (Scores(scores), *hooks):
        runner.register_hook(hook)
    runner.logger.warning = Mock()
    runner.train()
    return runner


def best(runner: Runner) -> list:
    return [path.name for path in Path(runner.work_dir).glob('best_*')]


@pytest.mark.parametrize('loop, kind', [
    ('mmregioncl.SeededTrainLoop', 'mmregioncl.TimedCheckpointHook'),
    ('mmregioncl.SeededTrainLoop', 'CheckpointHook'),
    ('EpochBasedTrainLoop', 'mmregioncl.SafeCheckpointHook'),
])
def test_the_best_is_saved(metric_cfg, loop, kind):
    """The weights of its epoch, in a file of its own."""
    metric_cfg.train_cfg.update(type=loop, max_epochs=4)
    metric_cfg.default_hooks.checkpoint.type = kind
    runner = run(metric_cfg, [0.1, 0.3, None, 0.2])
    assert best(runner) == ['best_knn_score_epoch_2.pth']
    assert runner.message_hub.get_info('best_score') == 0.3
    saved, epoch = (
        torch.load(Path(runner.work_dir) / name)
        for name in (*best(runner), 'epoch_2.pth'))
    assert saved['meta']['epoch'] == 2
    for name, value in saved['state_dict'].items():
        assert torch.equal(value, epoch['state_dict'][name]), name


@pytest.mark.parametrize('kind, kept', [
    ('mmregioncl.SafeCheckpointHook', ['epoch_3.pth', 'epoch_6.pth']),
    ('CheckpointHook', ['epoch_5.pth', 'epoch_6.pth']),
])
def test_the_best_takes_no_place_of_others(metric_cfg, kind, kept):
    """MMEngine writes the epoch of each new best as well."""
    metric_cfg.default_hooks.checkpoint.update(
        type=kind, interval=3, max_keep_ckpts=2)
    runner = run(metric_cfg, [0.1, 0.2, 0.1, 0.1, 0.3, 0.1])
    assert best(runner) == ['best_knn_score_epoch_5.pth']
    assert sorted(
        path.name
        for path in Path(runner.work_dir).glob('epoch_*.pth')) == kept
    assert runner.message_hub.get_info('last_ckpt').endswith('epoch_6.pth')


@pytest.mark.parametrize('name, rule', [('knn/k20_T0.1', 'greater'),
                                        ('linear/accuracy', 'greater'),
                                        ('health/view/std', 'greater'),
                                        ('health/features/rankme', 'greater'),
                                        ('health/paste/alignment', 'less'),
                                        ('health/view/uniformity', 'less'),
                                        ('loss', 'less')])
def test_metrics_of_hooks_tell_what_is_better(name, rule):
    assert SafeCheckpointHook(save_best=name).rules == [rule]
    assert EarlyStoppingHook(monitor=name).rule == rule


def test_a_run_that_stops_improving_is_stopped(metric_cfg):
    """And the last epoch has a checkpoint, also between two intervals."""
    metric_cfg.default_hooks.checkpoint = dict(
        type='mmregioncl.TimedCheckpointHook', interval=10)
    hook = EarlyStoppingHook(monitor='knn/score', patience=2)
    runner = run(metric_cfg, [0.1, 0.3, 0.3005, 0.2], hook)
    assert runner.epoch == 4
    assert [path.name for path in Path(runner.work_dir).glob('*.pth')
            ] == ['epoch_4.pth']
    assert torch.load(Path(runner.work_dir) / 'epoch_4.pth')['optimizer']


@pytest.mark.parametrize('killed, epoch, longer', [(True, 2, 0), (False, 3, 0),
                                                   (False, 4, 4)])
def test_best_score_patience_and_plateau_survive(metric_cfg, killed, epoch,
                                                 longer):
    """Whether or not the run was killed before they were told of an epoch.

    And if the schedule is made anew, for a longer run.
    """
    metric_cfg.param_scheduler = [
        dict(
            type='ReduceOnPlateauLR',
            monitor='knn/score',
            rule='greater',
            factor=0.5,
            patience=1,
            threshold=0.)
    ]
    scores = [0.1, 0.3, 0.2, 0.1, 0.1, 0.1]

    def stop() -> EarlyStoppingHook:
        return EarlyStoppingHook(monitor='knn/score', patience=3)

    if killed:
        with pytest.raises(KeyboardInterrupt):
            run(metric_cfg, scores, stop(), Kill(epoch))
    else:
        run(metric_cfg, scores, stop())
    path = Path(metric_cfg.work_dir) / f'epoch_{epoch}.pth'
    metric_cfg.train_cfg.max_epochs += longer
    metric_cfg.custom_hooks.append(dict(type='mmregioncl.ResumeHook'))
    runner = run(metric_cfg, scores, stop(), resume=True, load_from=str(path))
    assert runner.epoch == 5
    assert best(runner) == ['best_knn_score_epoch_2.pth']
    # Halved once, since the third and the fourth epoch were no better
    assert runner.optim_wrapper.get_lr()['lr'] == [0.005]


def train_of_rank(cfg) -> tuple:
    runner = run(cfg, [2.1, 2.3, 2.2, 2.1, 2.1],
                 EarlyStoppingHook(monitor='knn/score', patience=2))
    return (runner.epoch, best(runner),
            runner.message_hub.get_info('best_score'))


def test_two_ranks_decide_the_same(metric_cfg, two_ranks):
    """They follow the first, and that alone writes."""
    metric_cfg.train_dataloader.batch_size = 6
    metric_cfg.launcher = 'pytorch'
    metric_cfg.default_hooks.checkpoint.type = 'mmregioncl.TimedCheckpointHook'
    one, two = two_ranks(train_of_rank, metric_cfg)
    assert one == two == (4, ['best_knn_score_epoch_2.pth'], 2.3)


def test_names_are_those_that_are_measured(metric_cfg, image_folder):
    """Of all evaluation hooks."""
    folder = class_folder(str(image_folder), 32)
    metric_cfg.train_cfg.max_epochs = 1
    metric_cfg.eval_datasets = dict(train=folder, test=folder)
    metric_cfg.train_dataloader.dataset = dict(
        folder, pipeline=metric_cfg.train_dataloader.dataset.pipeline)
    metric_cfg.default_hooks.update(
        checkpoint=dict(
            type='CheckpointHook',
            save_best=['linear/accuracy', 'health/view/rankme'],
            rule='greater'),
        knn=dict(type='mmregioncl.OnlineKNNHook', k=(1, 3)),
        linear=dict(type='mmregioncl.OnlineLinearProbeHook'),
        health=dict(
            type='mmregioncl.RepresentationHealthHook',
            samples=10,
            batch_size=4))
    shown = {}
    record = Mock(spec=Hook, priority='LOW')
    record.after_val_epoch = lambda runner, metrics: shown.update(metrics)
    runner = run(metric_cfg, [1.], record)
    assert sorted(shown) == sorted(measured(runner))
    assert len(shown) == 4 + 2 + 13 + 1
    assert len(best(runner)) == 2


@pytest.mark.parametrize('hooks, scheduler, words', [
    (dict(checkpoint=dict(type='CheckpointHook', save_best='acc')), None,
     "save_best='acc' of CheckpointHook is not a metric of this run: use o"
     'ne of knn/score'),
    (dict(
        checkpoint=dict(type='mmregioncl.SafeCheckpointHook', save_best='acc')
    ), None, "save_best='acc' of SafeCheckpointHook is not a metric"),
    (dict(stop=dict(type='EarlyStoppingHook', monitor='loss')), None,
     "monitor='loss' of EarlyStoppingHook is not a metric"),
    ({}, dict(type='ReduceOnPlateauLR', monitor='loss'),
     "monitor='loss' of ReduceOnPlateauLR is not a metric"),
    ({}, dict(type='ReduceOnPlateauLR', monitor='knn/score'),
     "rule='less' of ReduceOnPlateauLR treats a lower knn/score as bett"),
])
def test_metrics_that_never_come_are_refused(metric_cfg, hooks, scheduler,
                                             words):
    metric_cfg.default_hooks = hooks
    metric_cfg.param_scheduler = scheduler and [scheduler]
    with pytest.raises(ValueError, match=words):
        run(metric_cfg, [])


class Own(Hook):
    """Hands out a metric, whose name it does not tell before."""

    def after_train_epoch(self, runner) -> None:
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook):
                hook.after_val_epoch(runner, {'mine': 1.})


def test_a_hook_of_ones_own_may_measure_anything(metric_cfg):
    metric_cfg.train_cfg.max_epochs = 1
    metric_cfg.default_hooks = dict(
        checkpoint=dict(
            type='CheckpointHook', save_best='mine', rule='greater'))
    assert best(run(metric_cfg, [1.], Own()))


def test_without_evaluations_it_says_which_to_add(metric_cfg):
    metric_cfg.log_level = 'ERROR'
    runner = Runner.from_cfg(metric_cfg)
    with pytest.raises(ValueError, match='add OnlineKNNHook or OnlineLinear'):
        runner.train()


def test_early_stopping_of_mmengine_is_warned_of(metric_cfg):
    metric_cfg.train_cfg.update(type='EpochBasedTrainLoop', max_epochs=3)
    metric_cfg.default_hooks = dict(
        stop=dict(
            type='mmengine.EarlyStoppingHook',
            monitor='knn/score',
            rule='greater',
            patience=1))
    runner = run(metric_cfg, [0.3, 0.2, 0.1])
    said = [call.args[0] for call in runner.logger.warning.call_args_list]
    assert any('forgets its patience' in line for line in said)
    assert any('stops one epoch late' in line for line in said)
    assert runner.epoch == 3


def test_a_wrong_name_in_a_validation_is_refused():
    """MMEngine says KeyError."""
    hook = SafeCheckpointHook(save_best='acc')
    with pytest.raises(ValueError, match="save_best='acc' of .*/top1$"):
        hook.after_val_epoch(Mock(hooks=[hook]), {'accuracy/top1': 1.})


def test_metrics_of_hooks_do_not_judge_those_of_a_validation():
    """They come first, and another loop will give the name."""
    hook = SafeCheckpointHook(save_best='accuracy/top1')
    hook._save_best_checkpoint(
        Mock(hooks=[hook], message_hub=Mock(runtime_info={})),
        Metrics({'knn/score': 1.}))
    auto = SafeCheckpointHook(save_best='auto')
    auto._save_best_checkpoint(Mock(hooks=[auto]), Metrics({'knn/score': 1.}))
    assert auto.key_indicators == ['auto']


def test_averages_are_evaluated(metric_cfg, image_folder):
    """With an EMAHook, whose averages checkpoints hold."""
    folder = class_folder(str(image_folder), 32)
    metric_cfg.default_hooks = dict(
        checkpoint=dict(type='CheckpointHook', interval=1))
    metric_cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    metric_cfg.train_cfg.max_epochs = 2
    metric_cfg.optim_wrapper.optimizer.lr = 1.
    shown = []
    knn = OnlineKNNHook(folder, folder, 1, k=(3, ), temperature=(0.1, ))
    find = knn.find_neighbours

    def note(runner) -> tuple:
        shown.append(find(runner))
        return shown[-1]

    knn.find_neighbours = note
    runner = run(metric_cfg, [1., 1.], knn)
    model = load_model(metric_cfg, str(Path(runner.work_dir) / 'epoch_2.pth'))
    rows, _ = extract_features(model, folder)
    rows = torch.nn.functional.normalize(rows, dim=1)
    wanted = (rows @ rows.T).topk(3)[0]
    assert torch.allclose(shown[-1][0], wanted, atol=1e-6)
    raw = runner.model.state_dict()
    assert not all(
        torch.equal(raw[name], value)
        for name, value in model.state_dict().items())


def test_schedules_of_several_optimizers():
    plateau, plain = Mock(need_val_args=True), Mock(need_val_args=False)
    runner = Mock(param_schedulers=dict(neck=[plain], head=[plateau]))
    assert plateaus(runner) == [plateau]
