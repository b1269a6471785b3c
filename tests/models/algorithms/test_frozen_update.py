"""Accumulation and processes give the update of one large batch.

With channels last and gradient checkpoints as well ("switched"). Batch norm is
frozen.
"""
from types import SimpleNamespace

import pytest
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import MessageHub
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from torch import nn

from mmregioncl.hooks import (AccumulationHook, ChannelsLastHook,
                              GradientCheckpointHook)
from mmregioncl.models.utils import Region, swap_region
from toy import method_cfgs

# In SimCLR all images of a batch are negatives, so that parts have another
# loss.
METHODS = ('RegionCLMoCo', 'RegionCLDenseCL', 'RegionCLSimSiam',
           'RegionCLBYOL')
# Image i swaps with N-1-i: each part holds whole pairs of the batch of 8.
PARTS = ([0, 1, 6, 7], [2, 3, 4, 5])


def wrap(cfg: dict, model: nn.Module) -> nn.Module:
    """One update by accumulation, as MMEngine's Runner makes it."""
    return MMDistributedDataParallel(
        model, device_ids=[get_rank()], broadcast_buffers=False, **cfg)


def update(cfg: dict, parts: list, hooks: tuple = ()) -> dict:
    """State after two updates, each by all of these parts of 8 images.

    Hooks change the model when it is wrapped, as in a run.

    A third forward pass lets averages follow the weights. All is done in eval
    mode, in which batch norm keeps its statistics.
    """
    MessageHub.get_current_instance().update_info('max_iters',
                                                  100 * max(len(parts), 1))
    torch.manual_seed(0)
    model = MODELS.build(cfg).eval()
    region = Region(1, 0, 2, 3)
    model.region_swap = lambda views: (swap_region(views, region.scale(8)),
                                       region)
    wrapper = OptimWrapper(
        torch.optim.SGD(model.parameters(), 0.05, momentum=0.9),
        accumulative_counts=max(len(parts), 1))
    wrapper.initialize_count_status(model, 0, 3 * len(parts))
    AccumulationHook().before_train(
        SimpleNamespace(model=model, optim_wrapper=wrapper, iter=0))
    # With it, buckets of other strides mix up gradients in every step.
    wrapper_cfg = dict(find_unused_parameters=bool(hooks))
    forward = model
    if get_world_size() > 1:
        forward = wrap(wrapper_cfg, model)
    runner = SimpleNamespace(
        model=forward,
        cfg=dict(model_wrapper_cfg=wrapper_cfg),
        wrap_model=wrap)
    for hook in hooks:
        hook.before_train(runner)
    noise = torch.Generator().manual_seed(0)
    for _ in range(3):
        batch = torch.randn(2, 8, 3, 32, 32, generator=noise)
        for part in parts:
            with wrapper.optim_context(runner.model):
                losses = runner.model(list(batch[:, part]), mode='loss')
                wrapper.update_params(sum(losses.values()))
    return model.state_dict()


def save_update(path: str, cfg: dict, hooks: tuple) -> None:
    """The update of a part on each of two processes, from rank 0."""
    state = update(cfg, [PARTS[get_rank()]], hooks)
    if get_rank() == 0:
        torch.save(state, path)


@pytest.mark.parametrize('method', METHODS)
def test_parts_and_ranks_are_one_batch(method, two_ranks, tmp_path):
    cfg = method_cfgs(method)[0]
    whole, parts, untouched = (
        update(cfg, ways) for ways in ([list(range(8))], PARTS, []))
    weight = 'backbone.conv1.weight'
    assert not torch.allclose(whole[weight], untouched[weight])
    switches = ChannelsLastHook(), GradientCheckpointHook()
    for way, hooks in dict(ranks=(), switched=switches).items():
        two_ranks(save_update, tmp_path / way, cfg, hooks)
    for way, state in dict(
            parts=parts,
            ranks=torch.load(tmp_path / 'ranks'),
            switched=torch.load(tmp_path / 'switched')).items():
        assert whole.keys() == state.keys()
        for name in whole:
            assert_same(name, whole[name], state[name], f'{name} by {way}')


def assert_same(name, one, other, where):
    """Queues hold the same keys, in any order."""
    if name.endswith('.steps'):
        return  # a count of forward passes
    if name in ('queue', 'queue2'):
        one, other = one.double(), other.double()
        nearest = (one.T @ other).max(1).values
        one, other = nearest, torch.ones_like(nearest)
    torch.testing.assert_close(
        one, other, rtol=1e-4, atol=2e-6, msg=lambda text: f'{where}: {text}')
