"""Where a step makes its tensors.

No device has to be there.
"""
import traceback
from copy import deepcopy
from typing import Iterable, List
from unittest.mock import Mock

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import distributed, nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmregioncl.hooks import GuardHook
from mmregioncl.models.utils import (Region, plan_exchange, preprocess,
                                     redistribute, swap_region)

PREPROCESSOR = dict(
    type='mmregioncl.SelfSupDataPreprocessor',
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    bgr_to_rgb=True,
    views=dict(
        num_views=2,
        transforms=[[
            dict(
                type='mmregioncl.RandomResizedCrop', size=8, backend='pillow'),
            dict(
                type='RandomApply',
                transforms=[
                    dict(
                        type='mmregioncl.ColorJitter',
                        brightness=0.4,
                        contrast=0.4,
                        hue=0.1)
                ]),
            dict(type='mmregioncl.RandomGrayscale', keep_channels=True),
            dict(
                type='mmregioncl.RandomGaussianBlur',
                sigma_min=0.1,
                sigma_max=2.),
            dict(type='mmregioncl.RandomSolarize'),
            dict(type='mmregioncl.RandomFlip', prob=0.5)
        ]]))


class OnHost(TorchDispatchMode):
    """Note where tensors are made on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.places: List[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if any(
                isinstance(value, torch.Tensor) and value.device.type == 'cpu'
                for value in tree_leaves(result)):
            ours = [
                f'{frame.filename}:{frame.lineno}'
                for frame in traceback.extract_stack()
                if '/torch/' not in frame.filename
            ]
            self.places.append(f'{func} by {ours[-2]}')
        return result


@pytest.fixture
def batch():
    return dict(
        inputs=[torch.zeros(4, 3, 10, 10, dtype=torch.uint8)],
        data_samples=[],
        seeds=torch.arange(4))


@pytest.fixture
def model(method, build) -> nn.Module:
    """One that reads no value: with a fixed region, and a counted average.

    Its backbone has one stage, as each operator takes its time.
    """
    cfg = dict(method[0], data_preprocessor=PREPROCESSOR)
    cfg['backbone'].update(
        num_stages=1,
        base_channels=64,
        strides=(2, ),
        dilations=(1, ),
        out_indices=(0, ))
    model = build(cfg)
    region = Region(1, 0, 2, 3)
    model.region_swap = lambda views: (swap_region(views, region.scale(2)),
                                       region)
    for module in model.modules():
        if hasattr(module, 'count'):
            module.count = 1
    return model


def test_a_step_makes_its_tensors_on_the_device(model, batch):
    """Views, losses, backward pass, update, and the meters of the guard."""
    model.to('meta')
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1, 0.9))
    guard, runner = GuardHook(), Mock(iter=0, hooks=[])
    with OnHost() as host:
        losses = model.train_step(batch, wrapper)
        guard.after_train_iter(runner, 0, batch, losses)
    assert not host.places
    kept = (*losses.values(), *guard.first_bad.values())
    assert {value.device.type for value in kept} == {'meta'}


def on_cuda(tensors: Iterable[torch.Tensor]) -> dict:
    """Tensors without content that take their place, by their id."""
    found = {}
    for tensor in tensors:
        fake = torch.empty(tensor.shape, dtype=tensor.dtype, device='cuda')
        if isinstance(tensor, nn.Parameter):
            fake = nn.Parameter(fake, tensor.requires_grad)
        found[id(tensor)] = fake
    return found


@pytest.mark.slow
def test_losses_do_not_mix_devices(model, batch):
    """With tensors that only claim to lie on a GPU."""
    with FakeTensorMode() as mode:
        batch['inputs'] = [mode.from_tensor(*batch['inputs'])]
        batch['seeds'] = mode.from_tensor(batch['seeds'])
        memo = on_cuda((*model.parameters(), *model.buffers()))
        model = deepcopy(model, memo)
        model.data_preprocessor.to('cuda')
        views, _ = preprocess(model.data_preprocessor, batch)
        losses = model.loss(views, [])
    assert {value.device.type for value in losses.values()} == {'cuda'}


def test_a_step_never_waits_for_a_gpu(cuda, method, build):
    """From a pinned batch to the meters of the guard."""
    model = build(dict(method[0], data_preprocessor=PREPROCESSOR)).to(cuda)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1, 0.9))
    images = torch.zeros(4, 3, 40, 40, dtype=torch.uint8)
    batch = dict(
        inputs=[images.pin_memory()],
        data_samples=[],
        seeds=torch.arange(4).pin_memory())
    guard, runner = GuardHook(), Mock(iter=0, hooks=[])
    model.train_step(batch, wrapper)  # averages read once how far they are
    torch.cuda.set_sync_debug_mode('error')
    try:
        losses = model.train_step(batch, wrapper)
        guard.after_train_iter(runner, 0, batch, losses)
    finally:
        torch.cuda.set_sync_debug_mode('default')


def test_one_process_of_a_group(model_cfg, build, device, tmp_path):
    """NCCL on a GPU, with the exchange of keys and DistributedDataParallel."""
    inputs = [torch.randn(4, 3, 32, 32, device=device) for _ in range(2)]
    alone = build(model_cfg).to(device)
    copied = deepcopy(alone)
    distributed.init_process_group(
        'nccl' if device == 'cuda' else 'gloo',
        init_method=f'file://{tmp_path}/group',
        rank=0,
        world_size=1)
    try:
        order = torch.tensor([2, 0, 3, 1])
        rows = redistribute(inputs[0], plan_exchange(order, inputs[0].device))
        assert torch.equal(rows, inputs[0][order.to(device)])
        ddp = MMDistributedDataParallel(
            copied, device_ids=[0] if device == 'cuda' else None)
        results = []
        for network in (alone, ddp):
            torch.manual_seed(1)  # for the regions
            losses = network(inputs, mode='loss')
            sum(losses.values()).backward()
            results.append(sum(losses.values()).item())
        assert results[0] == pytest.approx(results[1], abs=1e-5)
        for ours, theirs in zip(alone.parameters(), copied.parameters()):
            if ours.grad is not None:
                torch.testing.assert_close(
                    ours.grad, theirs.grad, rtol=1e-3, atol=1e-5)
    finally:
        distributed.destroy_process_group()
