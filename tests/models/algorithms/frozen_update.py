"""Two updates by frozen batch norm: of one batch, parts, or two ranks."""
import os
import sys
from types import SimpleNamespace

import torch
from mmengine.dist import get_rank, get_world_size, init_dist
from mmengine.logging import MessageHub
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from mmregioncl.engine.hooks import (AccumulationHook, ChannelsLastHook,
                                     GradientCheckpointHook)
from mmregioncl.models.utils import Region, swap_region

sys.path.insert(0, os.environ['TESTS'])
from conftest import method_cfgs  # noqa: E402

# Image i swaps with N-1-i: each part holds whole pairs of the batch of 8.
PARTS = ([0, 1, 6, 7], [2, 3, 4, 5])


def wrap(cfg: dict, model: nn.Module) -> nn.Module:
    """As MMEngine's Runner does."""
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


def main() -> None:
    folder, *names = sys.argv[1:]
    ranks = 'RANK' in os.environ
    if ranks:
        init_dist('pytorch', backend='gloo')
    init_default_scope('mmselfsup')
    torch.set_num_threads(1)
    ways = dict(whole=[[list(range(8))]], parts=[PARTS], untouched=[[]])
    if ranks:
        part = [PARTS[get_rank()]]
        switches = ChannelsLastHook(), GradientCheckpointHook()
        ways = dict(ranks=[part], switched=[part, switches])
    for name in names:
        for way, settings in ways.items():
            state = update(method_cfgs(name)[0], *settings)
            if get_rank() == 0:
                torch.save(state, f'{folder}/{name}-{way}.pth')


if __name__ == '__main__':
    main()
