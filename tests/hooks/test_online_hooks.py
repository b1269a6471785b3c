import copy
import logging
import multiprocessing
import random
import shutil
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.registry import MODELS
from mmengine.runner import EpochBasedTrainLoop, Runner
from tensorboard.backend.event_processing.event_accumulator import \
    EventAccumulator

from mmregioncl.evaluation import (check_same_classes, class_folder, data,
                                   extract_features, knn_accuracy, load_model,
                                   rankme, relative_std)
from mmregioncl.evaluation.embeddings import chance_loss
from mmregioncl.hooks import (GuardHook, OnlineKNNHook, OnlineLinearProbeHook,
                              RepresentationHealthHook)
from mmregioncl.hooks.evaluation_hook import EvaluationHook
from mmregioncl.visualization import read_scalars

KNN = dict(
    type='mmregioncl.OnlineKNNHook', interval=1, k=(1, 3), temperature=(0.1, ))
LINEAR = dict(type='mmregioncl.OnlineLinearProbeHook', interval=1)
HEALTH = dict(
    type='mmregioncl.RepresentationHealthHook',
    interval=1,
    samples=10,
    batch_size=4)


@pytest.fixture
def online_cfg(runner_cfg, image_folder):
    """12 labeled images of 2 classes, trained and tested on."""
    folder = class_folder(str(image_folder), 32)
    runner_cfg.eval_datasets = dict(train=folder, test=folder)
    dataset = runner_cfg.train_dataloader.dataset
    runner_cfg.train_dataloader.dataset = dict(
        folder, pipeline=dataset.pipeline)
    runner_cfg.default_hooks.update(knn=KNN, linear=LINEAR, health=HEALTH)
    return runner_cfg


class Seeds(Hook):
    """Seed each epoch by its number."""

    def before_train_epoch(self, runner) -> None:
        for seed in (random.seed, np.random.seed, torch.manual_seed):
            seed(runner.epoch)


def train(cfg, work_dir, seeded=False):
    cfg = copy.deepcopy(cfg)
    cfg.update(work_dir=str(work_dir), experiment_name=str(work_dir))
    runner = Runner.from_cfg(cfg)
    if seeded:
        runner.register_hook(Seeds())
    log = Mock()
    runner.logger.info = runner.logger.warning = log
    runner.train()
    return runner, [call.args[0] for call in log.call_args_list]


def curve(runner, name):
    rows = read_scalars(runner.work_dir)
    return [row[name] for row in rows if name in row]


def test_numbers_are_those_of_the_checkpoint(online_cfg, tmp_path):
    runner, lines = train(online_cfg, tmp_path / 'run')
    folder = online_cfg.eval_datasets.train
    for epoch, shown in zip((1, 2), curve(runner, 'knn/k3_T0.1')):
        model = load_model(online_cfg,
                           str(tmp_path / f'run/epoch_{epoch}.pth'))
        sets = extract_features(model, folder)
        assert shown == knn_accuracy(*sets, *sets, k=3)
    assert any('k-NN after epoch 2: 1.0000 (k=1, T=0.1), ' in line
               for line in lines)

    probe = torch.load(tmp_path / 'run/epoch_2.pth')['online_linear']['probe']
    assert int(probe['0.num_batches_tracked']) == 6
    features = (sets[0] - probe['0.running_mean']) / (probe['0.running_var'] +
                                                      1e-5).sqrt()
    found = (features @ probe['1.weight'].T + probe['1.bias']).argmax(1)
    accuracy = (found == sets[1]).float().mean().item()
    assert curve(runner, 'linear/accuracy')[1] == accuracy
    assert len(curve(runner, 'linear/train_accuracy')) == 2

    names = {name for row in read_scalars(runner.work_dir) for name in row}
    assert {
        name
        for name in names if name.startswith('health/')
    } == {
        'health/features/rankme',
        *(f'health/{part}/{statistic}' for part in ('view', 'canvas', 'paste')
          for statistic in ('std', 'rankme', 'uniformity', 'alignment'))
    }
    assert all(0 < value < 2 for value in curve(runner, 'health/view/std'))


def test_model_learns_the_same_with_and_without(online_cfg, tmp_path, method):
    """Weights are equal to the bit, for our methods and their parents.

    Without workers, whose settings are left out.
    """
    online_cfg.train_dataloader.update(
        num_workers=0, persistent_workers=True, timeout=60)
    online_cfg.randomness = dict(seed=0)
    for number, model in enumerate(method):
        online_cfg.model = dict(
            model, data_preprocessor=online_cfg.model.data_preprocessor)
        weights = []
        for hooks in (dict(knn=KNN, linear=LINEAR, health=HEALTH), {}):
            online_cfg.default_hooks = hooks
            runner, _ = train(online_cfg, tmp_path / f'{number}{len(hooks)}')
            weights.append(runner.model.state_dict())
        assert weights[0].keys() == weights[1].keys()
        for name in weights[0]:
            assert torch.equal(weights[0][name], weights[1][name]), name


@pytest.mark.parametrize(
    'method', ['RegionCLMoCo', 'RegionCLSimCLR'], indirect=True)
def test_probe_learns_from_images_that_stay_whole(online_cfg, tmp_path, method,
                                                  monkeypatch):
    """With region_share, the first images are shown as composites alone."""
    online_cfg.train_dataloader.update(
        batch_size=12, num_workers=0, persistent_workers=False)
    online_cfg.train_cfg.max_epochs = 1
    online_cfg.model = dict(
        method[0],
        region_share=0.5,
        data_preprocessor=online_cfg.model.data_preprocessor)
    online_cfg.default_hooks = dict(linear=LINEAR)
    learned = []

    def after_train_iter(hook, runner, data_batch, **kwargs):
        probe(hook, runner, data_batch=data_batch, **kwargs)
        learned.append((hook.features, hook.whole, data_batch['data_samples']))

    probe = OnlineLinearProbeHook.after_train_iter
    monkeypatch.setattr(OnlineLinearProbeHook, 'after_train_iter',
                        after_train_iter)
    runner, _ = train(online_cfg, tmp_path / 'run')
    (features, whole, samples), = learned
    assert whole == slice(6, None) and len(samples) == 12
    assert len(features) == 6
    assert curve(runner, 'linear/train_accuracy')


def scalars_of_ranks(cfg: Config) -> dict:
    """What k-NN and health log of an untrained model."""
    runner = Runner.from_cfg(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    with torch.no_grad():  # statistics drift apart without SyncBN
        for name, value in runner.model.named_buffers():
            if 'running' in name:
                value.add_(get_rank())
    logged = {}
    runner.visualizer.add_scalars = (
        lambda scalars, step: logged.update(scalars))
    runner.logger.info = runner.logger.warning = lambda line: None
    for hook in runner.hooks:
        if isinstance(hook, (OnlineKNNHook, RepresentationHealthHook)):
            hook.before_train(runner)
            hook.after_train_epoch(runner)
    return logged


def test_two_processes_log_what_one_logs(online_cfg, two_ranks):
    """Their shares differ in size, and so do their batch-norm statistics."""
    online_cfg.default_hooks.update(knn=dict(KNN, k=(2, 11), batch_size=5))
    del online_cfg.default_hooks['linear']
    online_cfg.randomness = dict(seed=0)
    alone = scalars_of_ranks(online_cfg)
    assert len(alone) == 15
    online_cfg.launcher = 'pytorch'
    assert two_ranks(scalars_of_ranks, online_cfg) == [alone,
                                                       alone]  # to the bit


def probe_of_ranks(cfg: Config) -> tuple:
    """A probe that several processes trained, and what this one showed it."""
    runner = Runner.from_cfg(cfg)
    hook, = (
        hook for hook in runner.hooks
        if isinstance(hook, OnlineLinearProbeHook))
    seen = []
    learn = hook.after_train_iter

    def note(runner, batch_idx, data_batch, outputs=None) -> None:
        labels = torch.cat(
            [sample.gt_label.value for sample in data_batch['data_samples']])
        seen.append((hook.features.numpy(), labels.numpy()))
        learn(runner, batch_idx, data_batch, outputs)

    hook.after_train_iter = note
    runner.train()
    state = hook.probe.state_dict()
    return {name: value.numpy() for name, value in state.items()}, seen


def test_both_processes_learn_one_classifier(online_cfg, two_ranks):
    """The classifier sees the features of both views."""
    online_cfg.default_hooks = dict(linear=LINEAR)
    online_cfg.launcher = 'pytorch'
    (first, *shown), (second, *others) = two_ranks(probe_of_ranks, online_cfg)
    assert first['1.weight'].any()
    # 2 epochs of 12 images, 4 on each rank at a time; the rest is dropped
    assert int(first['0.num_batches_tracked']) == 2
    for name in first:
        assert np.array_equal(first[name], second[name]), name

    # One process learns the same from the same features.
    alone = OnlineLinearProbeHook()
    alone.classes, alone.right, alone.seen = 2, 0, 0
    for shares in zip(*shown, *others):
        features, labels = (
            torch.from_numpy(np.concatenate(part)) for part in zip(*shares))
        alone.features = features
        samples = [SimpleNamespace(gt_label=label) for label in labels]
        alone.after_train_iter(None, 0, dict(data_samples=samples))
    for name, value in alone.probe.state_dict().items():
        assert np.array_equal(value, first[name]), name


def test_tensorboard_shows_the_curves(online_cfg, tmp_path):
    """Numbers are logged by MMEngine's visualizer, like losses."""
    online_cfg.visualizer = dict(
        type='Visualizer', vis_backends=[dict(type='TensorboardVisBackend')])
    train(online_cfg, tmp_path / 'run')
    events, = (tmp_path / 'run').rglob('events.out.*')
    board = EventAccumulator(str(events))
    board.Reload()
    tags = board.Tags()['scalars']
    assert {
        'knn/k1_T0.1', 'linear/accuracy', 'health/view/std',
        'health/canvas/rankme', 'health/paste/alignment', 'loss_region'
    } <= set(tags)
    assert [point.step for point in board.Scalars('knn/k1_T0.1')] == [3, 6]


def test_resumed_probe_is_the_uninterrupted_one(online_cfg, tmp_path):
    online_cfg.default_hooks = dict(
        online_cfg.default_hooks,
        checkpoint=dict(type='CheckpointHook', interval=1))
    online_cfg.randomness = dict(seed=0)
    # Workers begin their random streams anew when a run is resumed.
    online_cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    train(online_cfg, tmp_path / 'whole', seeded=True)
    online_cfg.update(
        resume=True, load_from=str(tmp_path / 'whole/epoch_1.pth'))
    train(online_cfg, tmp_path / 'resumed', seeded=True)
    whole, resumed = (
        torch.load(tmp_path / name / 'epoch_2.pth')['online_linear']['probe']
        for name in ('whole', 'resumed'))
    assert whole['1.weight'].any()
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name


def test_compiled_model_evaluates_the_same(online_cfg, tmp_path):
    """The forward hooks on its modules are not compiled with it."""
    online_cfg.randomness = dict(seed=0)
    online_cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    lines = []
    for compiled in (False, True):
        if compiled:
            online_cfg.default_hooks.compile = dict(
                type='mmregioncl.CompileHook', backend='eager')
        runner, _ = train(online_cfg, tmp_path / str(compiled), seeded=True)
        assert compiled == bool(runner.model.backbone._compiled_call_impl)
        lines.append([
            curve(runner, name)
            for name in ('knn/k1_T0.1', 'linear/train_accuracy',
                         'health/view/std')
        ])
    for plain, other in zip(*lines):
        assert plain == pytest.approx(other, abs=1e-3)


def test_probe_learns():
    """It learns twelve images by heart when their features never change."""
    hook = OnlineLinearProbeHook()
    hook.classes = 2
    hook.features = torch.randn(12, 16)
    samples = [SimpleNamespace(gt_label=row % 2) for row in range(12)]
    for _ in range(30):
        hook.right = hook.seen = 0
        hook.after_train_iter(None, 0, dict(data_samples=samples))
    assert hook.right == hook.seen == 12


def health_runner(losses=(), model=None, **attributes):
    """A run after step 10 of 4 images each."""
    hub = MessageHub('health')
    for loss in losses:
        hub.update_scalar('train/loss', loss)
    model = model or SimpleNamespace()
    return Mock(
        **{
            **dict(epoch=4, iter=9, model=model, message_hub=hub),
            **attributes
        },
        train_dataloader=SimpleNamespace(batch_size=4))


@pytest.mark.parametrize('statistic, value, words', [
    ('std', 0.04, 'view/std is 0.04 (healthy: std near 1'),
    ('std', torch.nan, 'view/std is nan'),
    ('rankme', 1.9, 'view/rankme is 1.9'),
    ('rankme', 2.1, None),
    ('std', 0.06, None),
])
def test_collapse_is_warned_of(statistic, value, words):
    hook = RepresentationHealthHook()
    runner = health_runner(max_epochs=90)
    scalars = {'view/std': 1., 'view/rankme': 40., 'view/alignment': 0.}
    hook.report(runner, {**scalars, f'view/{statistic}': value})
    if words is None or 'nan' not in words:  # it may recover
        runner.logger.warning.assert_not_called()
        hook.report(runner, {**scalars, f'view/{statistic}': value})
    if words is None:
        runner.logger.warning.assert_not_called()
    else:
        runner.logger.warning.assert_called_once()
        line = runner.logger.warning.call_args.args[0]
        assert f'embeddings have collapsed after epoch 5: {words}' in line


def test_last_evaluation_warns_again():
    """NaN does too, whatever was logged before."""
    hook = RepresentationHealthHook()
    runner = health_runner(max_epochs=9)
    for std, epoch, count in ((0.04, 1, 0), (0.04, 2, 1), (0.04, 3, 0),
                              (torch.nan, 4, 1), (1., 5, 0), (0.04, 8, 1)):
        runner.epoch = epoch
        runner.logger.warning.reset_mock()
        hook.report(runner, {'view/std': std})
        assert runner.logger.warning.call_count == count, (std, epoch)


MOCO = SimpleNamespace(queue_len=31, region_weight=1.)  # guesses: 2 ln 32
GUESSING = 2 * np.log(32)


@pytest.mark.parametrize('before, loss, model, collapsed', [
    ((0.02, ), GUESSING, MOCO, False),
    ((0.11, ), GUESSING - 0.6, MOCO, False),
    ((0.11, ), GUESSING - 0.8, MOCO, True),
    ((0.13, ), GUESSING, MOCO, True),
    ((0.6, 0.02, 0.7), GUESSING, MOCO, True),
    ((0.02, ), GUESSING, SimpleNamespace(), True),
])
def test_plateau_is_no_collapse(before, loss, model, collapsed):
    """Embeddings are equal from the start, and the loss is that of guessing.

    After a resume the past is known from the message hub.
    """
    runner = health_runner([loss] * 60, model, max_epochs=90)
    hook = RepresentationHealthHook()
    for std in (*before, 0.03):
        hook.report(runner, {'view/std': std})
    runner.logger.warning.reset_mock()
    state = runner.message_hub.state_dict()
    runner.message_hub = MessageHub('resumed')
    runner.message_hub.load_state_dict(state)
    runner.epoch = 89  # the last
    RepresentationHealthHook().report(runner, {'view/std': 0.03})
    line = runner.logger.warning.call_args.args[0]
    words = 'nothing is learned yet', 'embeddings have collapsed'
    assert line.startswith(f'{words[collapsed]} after epoch 90: ')
    numbers = (f'the loss ({loss:.3g}) is still at chance level '
               f'({GUESSING:.3g})')
    assert (numbers in line) != collapsed


@pytest.mark.parametrize('loss, epoch, warned', [
    (GUESSING, 89, True),
    (GUESSING, 50, False),
    (GUESSING - 0.8, 89, False),
])
def test_a_run_that_ends_at_chance(loss, epoch, warned):
    """Though embeddings differ."""
    runner = health_runner([loss] * 60, MOCO, max_epochs=90)
    runner.epoch = epoch
    RepresentationHealthHook().report(runner, {'view/std': 0.7})
    said = [call.args[0] for call in runner.logger.warning.call_args_list]
    assert len(said) == warned
    assert all(f'at chance level ({GUESSING:.3g}); crop' in line
               for line in said)


def test_untrained_network_is_noted(online_cfg, tmp_path):
    """A rate that is too high may have crushed it before the first look."""
    online_cfg.default_hooks = dict(health=dict(HEALTH, interval=9))
    runner, lines = train(online_cfg, tmp_path / 'run')
    line, = (line for line in lines if 'embeddings before training: ' in line)
    spread = float(line.split('view/std ')[1].split(',')[0])
    assert runner.message_hub.get_info('health/widest')['view/std'] >= spread
    assert 0 < spread < 2


def test_plateau_may_begin_before_the_queue_is_full():
    """Its random keys are no negatives to learn from."""
    runner = health_runner([2.], max_epochs=5)
    for queue_len, words in ((37, 'nothing is'), (36, 'embeddings have')):
        runner.model = SimpleNamespace(queue_len=queue_len)
        RepresentationHealthHook().report(runner, {'view/std': 0.03})
        assert runner.logger.warning.call_args.args[0].startswith(words)


def test_loss_of_guessing(method, build):
    """It is the loss if all embeddings are equal, here zero.

    A region has one negative more.
    """
    for cfg in method:
        model = build(cfg)
        for parameter in model.parameters():
            torch.nn.init.zeros_(parameter)
        views = [torch.randn(4, 3, 32, 32) for _ in range(2)]
        loss = sum(model.loss(views, []).values()).item()
        chance = chance_loss(model, images=4)
        if chance is None:  # no negatives: no cross entropy
            assert loss == pytest.approx(0)
        else:
            assert chance <= loss + 1e-5 < chance + 0.3


@pytest.mark.parametrize('fill', [0, torch.nan])
def test_collapsed_model_is_warned_of(online_cfg, tmp_path, fill):
    """All embeddings are equal, or NaN."""
    online_cfg.default_hooks = {}
    runner, _ = train(online_cfg, tmp_path / 'run')
    runner.logger.warning = Mock()
    hook = RepresentationHealthHook(samples=10, batch_size=4)
    runner.message_hub.update_info('health/widest', {'view/std': 0.9})
    with torch.no_grad():
        runner.model.neck.mlp[-1].weight.fill_(fill)
    for _ in range(2):
        hook.evaluate(runner)
    line = runner.logger.warning.call_args.args[0]
    assert f'view/std is {fill}' in line
    assert 'lower the learning rate' in line


def test_one_number_is_a_list_of_one():
    hook = OnlineKNNHook(k=5, temperature=0.1)
    assert hook.metric_names(None) == ['knn/k5_T0.1']


@pytest.mark.parametrize('hook, settings, words', [
    (OnlineKNNHook, dict(k=2.5), 'k=2.5 of OnlineKNNHook has to be a whole'),
    (OnlineKNNHook, dict(k=()), r'k=\(\) and temperature=.* need a value'),
    (OnlineKNNHook, dict(temperature=0), 'temperature=0 .* a positive number'),
    (OnlineKNNHook, dict(interval=True), 'interval=True .* a whole number'),
    (OnlineKNNHook, dict(num_workers=-1), 'num_workers=-1 .* from 0 on'),
    (OnlineLinearProbeHook, dict(lr=0), 'lr=0 .* a positive number'),
    (RepresentationHealthHook, dict(samples='8'),
     "samples='8' .* whole number"),
    (GuardHook, dict(interval=0), 'interval=0 .* a whole number from 1 on'),
])
def test_settings_are_checked(hook, settings, words):
    with pytest.raises(ValueError, match=words):
        hook(**settings)


def test_a_negative_interval_switches_off(online_cfg, tmp_path):
    """As in MMEngine: no labels are needed, and nothing is measured."""
    online_cfg.pop('eval_datasets')
    online_cfg.default_hooks = {
        kind: dict(type=f'mmregioncl.{kind}Hook', interval=-1)
        for kind in ('OnlineKNN', 'OnlineLinearProbe', 'RepresentationHealth')
    }
    runner, lines = train(online_cfg, tmp_path / 'run')
    assert not any(isinstance(part, EvaluationHook) for part in runner.hooks)
    assert not any('embeddings' in line for line in lines)


@pytest.mark.parametrize('images, first', [(100_000, 1024), (10_001, 300),
                                           (500, 64), (30, 30)])
def test_health_before_training_is_cheap(images, first):
    """It costs 3 % of an epoch, or one batch."""
    runner = Mock(model=Mock(passes_per_image=3))
    runner.train_dataloader.dataset = range(images)
    assert RepresentationHealthHook().first_count(runner) == first


def test_health_of_three_images_is_not_measured(online_cfg, tmp_path):
    """Two directions would count as a collapse."""
    online_cfg.default_hooks = dict(health=HEALTH)
    online_cfg.train_dataloader.update(batch_size=2)
    online_cfg.train_dataloader.dataset.indices = 3
    _, lines = train(online_cfg, tmp_path / 'run')
    said, = (
        line for line in lines
        if 'RepresentationHealthHook' in line and 'images' in line)
    assert said.startswith(
        'RepresentationHealthHook measures nothing on 3 images: add images, 4')
    assert not any('embeddings' in line for line in lines)


def test_names_of_another_kind_are_counted():
    """Folders of ImageNet are numbers of WordNet, and its classes words."""

    def dataset(*classes):
        return Mock(metainfo=dict(classes=classes))

    check_same_classes(dataset('n01', 'n02'), dataset('tench', 'goldfish'))
    check_same_classes(dataset('n01', 'n02'), Mock(metainfo={}))
    for other in (('n02', 'n01'), ('n01', ), ('n02', 'n03'), ('tench', )):
        with pytest.raises(ValueError, match='need the same classes'):
            check_same_classes(dataset('n01', 'n02'), dataset(*other))


def test_classes_have_to_be_the_same(online_cfg, image_folder, tmp_path):
    """Labels count folders: one less would shift them all."""
    (tmp_path / 'test/b/c').mkdir(parents=True)
    for name in ('b/c/00.png', 'b/c/02.png'):
        shutil.copy(image_folder / name, tmp_path / 'test' / name)
    other = class_folder(str(tmp_path / 'test'), 32)
    online_cfg.eval_datasets.test = other
    for name, hook in dict(knn=KNN, linear=LINEAR).items():
        online_cfg.default_hooks = {name: hook}
        with pytest.raises(ValueError, match='need the same classes.*: a$'):
            train(online_cfg, tmp_path / name)


def test_probe_passes_batches_of_one_image_by():
    """Batch norm learns nothing from them."""
    hook = OnlineLinearProbeHook()
    hook.classes, hook.right, hook.seen = 2, 0, 0
    sample = Mock()
    sample.gt_label.value = torch.tensor([1])
    for count in (1, 3):
        hook.features = torch.randn(count, 64)
        hook.after_train_iter(None, 0, dict(data_samples=[sample] * count))
        assert (hook.probe is None) == (count == 1)


def test_probe_begins_anew_with_other_classes(online_cfg, tmp_path):
    online_cfg.default_hooks = dict(
        linear=LINEAR, checkpoint=dict(type='CheckpointHook', interval=1))
    train(online_cfg, tmp_path / 'two')
    path = tmp_path / 'two/epoch_1.pth'
    checkpoint = torch.load(path)
    saved = checkpoint['online_linear']
    for name in ('1.weight', '1.bias'):
        saved['probe'][name] = saved['probe'][name][:1]
    for state in saved['optimizer']['state'].values():
        state['momentum_buffer'] = state['momentum_buffer'][:1]
    torch.save(checkpoint, path)
    online_cfg.update(resume=True, load_from=str(path))
    train(online_cfg, tmp_path / 'resumed')
    probe = torch.load(tmp_path / 'resumed/epoch_2.pth')['online_linear']
    assert len(probe['probe']['1.bias']) == 2


def test_a_loop_without_epochs_warns(online_cfg, tmp_path):
    online_cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
    online_cfg.default_hooks = dict(
        health=HEALTH, checkpoint=dict(type='CheckpointHook', by_epoch=False))
    lines = train(online_cfg, tmp_path / 'run')[1]
    assert any('it runs only at the end' in line for line in lines)
    assert sum('embeddings after' in line for line in lines) == 1


def test_health_by_hand(online_cfg, tmp_path):
    """The views are not random, and one batch has all of them."""
    online_cfg.train_dataloader.dataset.pipeline[1].transforms = [[
        dict(type='mmregioncl.ResizeEdge', scale=32, edge='short'),
        dict(type='CenterCrop', crop_size=32)
    ]]
    online_cfg.default_hooks = dict(
        health=dict(HEALTH, samples=12, batch_size=12),
        checkpoint=dict(type='CheckpointHook', interval=1))
    runner, _ = train(online_cfg, tmp_path / 'run')
    model = MODELS.build(online_cfg.model)
    model.load_state_dict(
        torch.load(tmp_path / 'run/epoch_2.pth')['state_dict'])
    model.eval()
    features, _ = extract_features(model, online_cfg.eval_datasets.train)
    with torch.no_grad():
        embeddings = model.neck.mlp(features)
    for name, value in {
            'features/rankme': rankme(features),
            'view/std': relative_std(embeddings),
            'view/rankme': rankme(embeddings),
            'view/alignment': 0
    }.items():
        assert curve(runner, f'health/{name}')[-1] == \
            pytest.approx(value, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize('hook, sentence', [
    (dict(KNN, k=(13, )),
     'there are only 12 train images for k=13 of OnlineKNNHook: set'),
    (dict(HEALTH, batch_size=3), 'batch_size=3 of Representation'),
])
def test_bad_settings(online_cfg, hook, sentence, tmp_path):
    online_cfg.default_hooks = dict(hook=hook)
    with pytest.raises(ValueError, match=sentence):
        train(online_cfg, tmp_path / 'run')


def test_k_above_the_images_is_left_out(online_cfg, tmp_path, monkeypatch):
    """As in an evaluation, and nothing may wait for its metric."""
    monkeypatch.setattr('mmregioncl.evaluation.knn.print_log', told := Mock())
    online_cfg.default_hooks = dict(
        knn=dict(KNN, k=(13, 1, 200)),
        checkpoint=dict(
            type='mmregioncl.SafeCheckpointHook', save_best='knn/k200_T0.1'),
        guard=dict(type='mmregioncl.GuardHook'))
    with pytest.raises(
            ValueError,
            match='is not a metric of this run: use '
            'one of knn/k1_T0.1$'):
        train(online_cfg, tmp_path / 'run')
    told.assert_called_once_with(
        'OnlineKNNHook skips k=13, 200: there are only 12 train images',
        'current', logging.WARNING)
    online_cfg.default_hooks.checkpoint.save_best = 'knn/k1_T0.1'
    train(online_cfg, tmp_path / 'run')
    assert list((tmp_path / 'run').glob('best_*'))


@pytest.mark.parametrize('hook', [KNN, LINEAR])
def test_missing_labels(online_cfg, hook, image_folder, tmp_path):
    online_cfg.default_hooks = dict(hook=hook)
    online_cfg.eval_datasets = {}
    with pytest.raises(ValueError, match='has no eval_datasets'):
        train(online_cfg, tmp_path / 'none')
    unlabelled = dict(
        type='mmregioncl.ImageFolder', data_root=str(image_folder))
    online_cfg.eval_datasets = dict(train=unlabelled, test=unlabelled)
    with pytest.raises(ValueError, match='images without a label: use '):
        train(online_cfg, tmp_path / 'unlabelled')


def test_one_class_tells_nothing(online_cfg, tmp_path, monkeypatch):
    monkeypatch.setattr(data, 'print_log', told := Mock())
    for dataset in (online_cfg.eval_datasets, online_cfg.train_dataloader):
        name = 'train' if 'train' in dataset else 'dataset'
        dataset[name] = dict(dataset[name], indices=6)
    online_cfg.default_hooks = dict(knn=KNN, linear=LINEAR)
    online_cfg.train_cfg.max_epochs = 1
    train(online_cfg, tmp_path / 'run')
    said = [call.args[0] for call in told.call_args_list]
    for learner in ('k-NN', 'the linear probe'):
        words = f'all images that {learner} learns from have the same label'
        assert sum(words in line for line in said) == 1


@pytest.mark.parametrize('hook', [KNN, LINEAR])
@pytest.mark.parametrize('change, sentence', [
    (dict(data_root='nowhere'),
     'eval_datasets.test reads nowhere, which does not exist: link the data'),
    (dict(pipeline=[dict(type='mmregioncl.LoadImage')]),
     'eval_datasets.test does not pack images: append mmregioncl.PackSelf'),
    (dict(pipeline=[
        dict(type='mmregioncl.LoadImage'),
        dict(type='RandomResize', scale=(40, 40), ratio_range=(0.2, 1)),
        dict(type='mmregioncl.PackSelfSupInputs', algorithm_keys=['gt_label'])
    ]),
     r'images of eval_datasets.test have different sizes, \(3, \d+, .*: add '
     'mmregioncl.ResizeEdge and mmregioncl.CenterCrop to the pipeline'),
])
def test_what_cannot_be_evaluated_is_refused_before_training(
        online_cfg, hook, change, sentence, tmp_path, monkeypatch):
    online_cfg.default_hooks = dict(hook=hook)
    online_cfg.eval_datasets.test = dict(online_cfg.eval_datasets.test,
                                         **change)
    step = Mock(side_effect=AssertionError('a step was made'))
    monkeypatch.setattr(EpochBasedTrainLoop, 'run_iter', step)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        train(online_cfg, tmp_path / 'run')


@pytest.mark.parametrize('damage', [
    dict(probe=3),
    dict(probe={}),
    dict(optimizer=dict(state={0: 3})),
    dict(optimizer=dict(state={0: dict(momentum_buffer=torch.ones(7))})),
    dict(optimizer=dict(state={})),
    dict(right='3'),
    None,
])
def test_a_damaged_probe_is_refused(damage):
    hook = OnlineLinearProbeHook()
    hook.classes, hook.right, hook.seen = 3, 2, 4
    hook.build(8, 'cpu')
    hook.probe(torch.ones(2, 8)).sum().backward()
    hook.optimizer.step()
    hook.before_save_checkpoint(None, checkpoint := {})
    runner = Mock(_resume=True, _load_from='a.pth')
    hook.after_load_checkpoint(runner, {})
    before = copy.deepcopy(checkpoint)
    hook.after_load_checkpoint(runner, checkpoint)
    state = checkpoint['online_linear']
    buffers, known = (
        part['online_linear']['optimizer']['state'][0]['momentum_buffer']
        for part in (checkpoint, before))
    assert hook.state is state and torch.equal(buffers, known)
    if damage and 'optimizer' in damage:
        damage = dict(
            optimizer=dict(state['optimizer'], **damage['optimizer']))
    damaged = 3 if damage is None else dict(state, **damage)
    with pytest.raises(ValueError, match=r'a.pth is damaged \(online_li'):
        hook.after_load_checkpoint(runner, dict(online_linear=damaged))


def test_a_resumed_probe_takes_the_learning_rate_of_its_config():
    before, after = (OnlineLinearProbeHook(lr=lr) for lr in (1., 2.))
    before.classes = after.classes = 3
    before.right = before.seen = 0
    before.build(8, 'cpu')
    before.probe(torch.rand(2, 8)).sum().backward()
    before.optimizer.step()
    before.before_save_checkpoint(None, checkpoint := {})
    after.after_load_checkpoint(Mock(_resume=True), checkpoint)
    after.build(8, 'cpu')
    assert after.optimizer.param_groups[0]['lr'] == 2
    for weight, theirs in zip(after.probe.parameters(),
                              before.probe.parameters()):
        assert torch.equal(after.optimizer.state[weight]['momentum_buffer'],
                           before.optimizer.state[theirs]['momentum_buffer'])


@pytest.mark.parametrize('change, sentence', [
    (dict(data_root='nowhere'),
     'OnlineKNNHook.train reads nowhere, .* or set OnlineKNNHook.train.data_r'
     ),
    (dict(data_root='eval_datasets.train'),
     'OnlineKNNHook.train reads eval_datasets.train, which'),
    (dict(pipeline=[dict(type='mmregioncl.LoadImage', channels=1)]),
     'OnlineKNNHook.train loads images with channels=1'),
    (dict(pipeline=[dict(type='mmregioncl.LoadImage')]),
     'the pipeline of OnlineKNNHook.train does not pack i'),
])
def test_data_of_a_hook_are_named_by_their_setting(online_cfg, change,
                                                   sentence, tmp_path):
    data = dict(online_cfg.eval_datasets.train, **change)
    online_cfg.default_hooks = dict(knn=dict(KNN, train=data))
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        train(online_cfg, tmp_path / 'run')


def test_folders_may_be_named(online_cfg, image_folder, tmp_path):
    online_cfg.pop('eval_datasets')
    folder = str(image_folder)
    online_cfg.default_hooks = dict(
        knn=dict(KNN, train=folder, test=folder),
        linear=dict(LINEAR, test=folder))
    runner, _ = train(online_cfg, tmp_path / 'run')
    assert curve(runner, 'knn/k1_T0.1') == [1, 1]


def test_evaluations_cost_a_share_of_training(online_cfg, tmp_path):
    """By default, at most 3 % of the passes of the epochs in between.

    An evaluation takes 30 passes of the backbone, and an epoch 7 for each of
    12 images: 3 % of 12 epochs are 30.2 passes, 3 % of 11 are 27.7.
    """
    online_cfg.train_cfg.max_epochs = 14
    online_cfg.default_hooks = dict(health=dict(HEALTH, interval=None))
    runner, lines = train(online_cfg, tmp_path / 'run')
    assert any('Hook evaluates every 12 epochs' in line for line in lines)
    steps = [
        row['step'] for row in read_scalars(runner.work_dir)
        if 'health/view/std' in row
    ]
    assert steps == [12 * 3, 14 * 3]


def test_workers_need_not_be_forked(online_cfg, tmp_path):
    """On macOS they are spawned, in training and in evaluations."""
    online_cfg.env_cfg = dict(mp_cfg=dict(mp_start_method='spawn'))
    online_cfg.train_cfg.max_epochs = 1
    for name in ('knn', 'health'):  # a worker takes seconds to start
        online_cfg.default_hooks.pop(name)
    online_cfg.train_dataloader.sampler.type = 'mmregioncl.SeededSampler'
    before = multiprocessing.get_start_method()
    try:
        runner, _ = train(online_cfg, tmp_path / 'run')
        assert multiprocessing.get_start_method() == 'spawn'
    finally:
        multiprocessing.set_start_method(before, force=True)
    assert runner.iter == 3
    assert len(curve(runner, 'linear/accuracy')) == 1
