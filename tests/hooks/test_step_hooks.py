"""Switches of the train step change what it costs, not what it computes."""
from copy import deepcopy
from shutil import which
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch.autograd.graph import saved_tensors_hooks

from mmregioncl.hooks import (ChannelsLastHook, CompileHook,
                              GradientCheckpointHook)

CHECKPOINTS = dict(type='mmregioncl.GradientCheckpointHook')
# The compiler's front, with derivatives, without building kernels
COMPILED = dict(type='mmregioncl.CompileHook', backend='aot_eager')
ONE_STAGE = dict(COMPILED, modules='backbone.layer1')
BOTH_NETWORKS = dict(
    COMPILED, modules=['backbone.layer1', 'encoder_k.module.0.layer1'])


def weights(work_dir):
    return torch.load(work_dir / 'epoch_2.pth')['state_dict']


@pytest.fixture
def assert_same_run(train, runner_cfg, tmp_path):
    """Losses and weights of a run with some hooks, against those without."""

    def check(hooks, **tolerance):
        runs = [
            train(runner_cfg, tmp_path / 'plain'),
            train(runner_cfg, tmp_path / 'switched', **hooks)
        ]
        torch.testing.assert_close(*(torch.tensor(run.losses) for run in runs),
                                   **tolerance)
        plain, switched = (
            weights(tmp_path / name) for name in ('plain', 'switched'))
        assert plain.keys() == switched.keys()
        for name in plain:
            torch.testing.assert_close(plain[name], switched[name],
                                       **tolerance)

    return check


def test_gradient_checkpoints_give_the_same_run(assert_same_run, tmp_path):
    """Running statistics too, which are updated once a step."""
    assert_same_run(dict(memory=CHECKPOINTS))
    batches = {
        int(value)
        for name, value in weights(tmp_path / 'switched').items()
        if name.startswith('backbone') and 'num_batches_tracked' in name
    }
    assert batches == {12}  # 6 steps of a view and a composite


def test_one_module_may_be_named(model_cfg):
    model = MODELS.build(model_cfg).train()
    hook = GradientCheckpointHook(modules='backbone.layer1')
    hook.before_train(SimpleNamespace(model=model))
    assert 'forward' in vars(model.backbone.layer1[0])
    assert 'forward' not in vars(model.backbone.layer2[0])


def test_gradient_checkpoints_keep_less(model_cfg):
    """What autograd holds for a backward pass."""

    def held(model):
        sizes = {}

        def pack(tensor):
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = model.backbone(torch.randn(8, 3, 32, 32))[-1].sum()
        del loss
        return sum(sizes.values())

    model = MODELS.build(model_cfg).train()
    before = held(model)

    GradientCheckpointHook().before_train(SimpleNamespace(model=model))
    assert held(model) < before / 2


@pytest.mark.parametrize(
    'hook, settings, words',
    [
        ('GradientCheckpointHook', dict(modules=['backbone.layer9']),
         'no module backbone.layer9 in the RegionCLMoCo'),
        ('CompileHook', dict(modules=['body']),
         'no module body in the RegionCLMoCo'),
        (
            'CompileHook',
            dict(modules=['loss']),  # a method
            'no module loss in the RegionCLMoCo'),
    ])
def test_unknown_modules_are_refused(hook, settings, words, runner_cfg,
                                     tmp_path):
    runner_cfg.custom_hooks = [dict(type=f'mmregioncl.{hook}', **settings)]
    with pytest.raises(ValueError, match=words):
        Runner.from_cfg(runner_cfg).train()


def test_compiled_backbones_give_the_same_run(assert_same_run, train,
                                              runner_cfg, tmp_path):
    """The checkpoint has the same keys and resumes without the hook."""
    assert_same_run(dict(compile=BOTH_NETWORKS), rtol=1e-3, atol=1e-4)
    runner_cfg.update(
        resume=True, load_from=str(tmp_path / 'switched/epoch_1.pth'))
    assert len(train(runner_cfg, tmp_path / 'resumed').losses) == 3


@pytest.mark.slow
@pytest.mark.skipif(which('g++') is None, reason='needs a C++ compiler')
def test_compiled_kernels_give_the_same_gradients(model_cfg):
    """One block, compiled by the default backend."""
    model = MODELS.build(model_cfg).train()
    plain = deepcopy(model)
    hook = CompileHook(modules='backbone.layer1.0')
    hook.before_train(SimpleNamespace(model=model))
    assert model.backbone.layer1[0]._compiled_call_impl
    maps = torch.randn(2, 8, 8, 8)
    for network in (model, plain):
        network.backbone.layer1[0](maps).square().sum().backward()
    for ours, theirs in zip(model.parameters(), plain.parameters()):
        torch.testing.assert_close(
            ours.grad, theirs.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_all_backbones_are_compiled(method):
    model = MODELS.build(method[0])
    CompileHook().before_train(SimpleNamespace(model=model))
    compiled = {
        name
        for name, module in model.named_modules() if module._compiled_call_impl
    }
    backbones = {'backbone'}
    if hasattr(model, 'encoder_k'):
        backbones.add('encoder_k.module.0')
    for average in ('target_net', 'momentum_encoder'):
        if hasattr(model, average):
            backbones.add(f'{average}.module.0')
    assert compiled == backbones


def test_compiled_checkpoints_give_the_same_run(assert_same_run):
    assert_same_run(
        dict(memory=CHECKPOINTS, compile=ONE_STAGE), rtol=1e-3, atol=1e-4)


def test_copies_recompute_with_their_own_weights(model_cfg):
    model = MODELS.build(model_cfg).train()
    GradientCheckpointHook().before_train(SimpleNamespace(model=model))
    other = deepcopy(model)
    with torch.no_grad():
        for weight in model.backbone.parameters():
            weight.fill_(torch.nan)
    image = torch.randn(2, 3, 32, 32)
    assert other.backbone(image)[-1].isfinite().all()
    assert model.backbone(image)[-1].isnan().all()


def test_channels_last_knows_its_wrapper():
    layer = torch.nn.Conv2d(2, 2, 3)
    wrapped = torch.nn.DataParallel(layer)
    with pytest.raises(ValueError, match='within DataParallel: leave the'):
        ChannelsLastHook().before_train(SimpleNamespace(model=wrapped))
    # As MMEngine's compile=True leaves it
    wrapped = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    torch.nn.Module.__init__(wrapped)
    wrapped.module, wrapped.train_step = layer, Mock()
    with pytest.raises(ValueError, match='use mmregioncl.CompileHook'):
        ChannelsLastHook().before_train(SimpleNamespace(model=wrapped))
    assert layer.weight.is_contiguous()  # nothing was changed


def run(cfg) -> None:
    Runner.from_cfg(cfg).train()


def test_all_switches_on_two_ranks(train, runner_cfg, two_ranks, tmp_path):
    """A run without the switches resumes from the checkpoint."""
    train(runner_cfg, tmp_path / 'plain')
    plain = weights(tmp_path / 'plain')
    cfg = deepcopy(runner_cfg)
    cfg.default_hooks.update(
        layout=dict(type='mmregioncl.ChannelsLastHook'),
        memory=CHECKPOINTS,
        compile=ONE_STAGE)
    cfg.optim_wrapper = dict(
        type='mmregioncl.AutocastOptimWrapper',
        optimizer=dict(type='SGD', lr=0.01, fused=True))
    cfg.train_dataloader.batch_size = 2
    cfg.work_dir = str(tmp_path / 'ranks')
    cfg.launcher = 'pytorch'
    two_ranks(run, cfg)
    state = weights(tmp_path / 'ranks')
    assert state.keys() == plain.keys()
    assert all(value.dtype == plain[name].dtype
               for name, value in state.items())
    runner_cfg.update(
        resume=True, load_from=str(tmp_path / 'ranks/epoch_1.pth'))
    assert len(train(runner_cfg, tmp_path / 'resumed').losses) == 3
