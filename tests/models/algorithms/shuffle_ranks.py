"""Run by two or three gloo processes: whose statistics keys are made with."""
import os
import sys
from copy import deepcopy
from itertools import repeat
from types import SimpleNamespace
from unittest.mock import patch

import torch
from mmengine.dist import all_gather, get_rank, get_world_size, init_dist
from mmengine.registry import HOOKS, MODELS, init_default_scope
from torch import nn

from mmregioncl.models.utils import (ShuffledBatchNorm, draw_order, in_groups,
                                     plan_exchange, plan_groups, redistribute,
                                     shared_generator)

sys.path.insert(0, os.environ['TESTS'])
from conftest import method_cfgs  # noqa: E402

WAYS = ('images', 'statistics')


@MODELS.register_module()
class ActivatedBN(nn.BatchNorm2d):

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return super().forward(rows).relu()


def build(name: str, shuffle_bn: str, **backbone) -> nn.Module:
    torch.manual_seed(0)
    cfg = dict(method_cfgs(name)[0], shuffle_bn=shuffle_bn)
    cfg['backbone'].update(backbone)
    model = MODELS.build(cfg).train()
    model.orders = torch.Generator().manual_seed(1)
    return model


def redistribute_as_gathered() -> None:
    """Against the definition: row i of all processes, wherever it goes."""
    generator = shared_generator()
    noise = torch.Generator().manual_seed(get_rank())
    rows = torch.randn(6, 2, 3, generator=noise)
    everyone = torch.cat(all_gather(rows))  # (W x 6, 2, 3)
    for _ in range(5):
        rows = rows.transpose(1, 2)  # in any memory format
        everyone = everyone.transpose(1, 2)
        order = draw_order(6, generator)
        assert all(map(torch.equal, all_gather(order), repeat(order)))
        assert order.sort().values.tolist() == [*range(len(everyone))]
        there, back = (
            plan_exchange(way, rows.device)
            for way in (order, order.argsort()))
        moved = redistribute(rows, there)
        assert torch.equal(moved, everyone[order.view(-1, 6)[get_rank()]])
        assert torch.equal(redistribute(moved, back), rows)


def keys_are_of_mixed_batches(shuffle_bn: str) -> None:
    """ShuffleBN: encoded among the images of its place, and brought back."""
    model = build('RegionCLDenseCL', shuffle_bn).double()
    encoders = [
        deepcopy(model.encoder_k.module) for _ in range(get_world_size())
    ]
    noise = torch.Generator().manual_seed(get_rank())
    views = torch.randn(6, 3, 32, 32, generator=noise, dtype=torch.float64)
    everyone = torch.cat(all_gather(views))  # (W x 6, 3, H, W)

    state = model.orders.get_state()
    order = draw_order(6, model.orders)
    model.orders.set_state(state)
    alone = [
        model.project(everyone[places], *encoder)
        for places, encoder in zip(order.view(-1, 6), encoders)
    ]  # as each process in turn
    back = order.argsort().view(-1, 6)[get_rank()]
    keys = model.encode_keys(views)
    for key, *parts in zip(keys, *alone):
        assert not key.requires_grad
        torch.testing.assert_close(
            key, torch.cat(parts)[back], rtol=0, atol=1e-11)
    for buffer, wanted in zip(model.encoder_k.module.buffers(),
                              encoders[get_rank()].buffers()):
        torch.testing.assert_close(buffer, wanted, rtol=0, atol=1e-11)
    unmixed = model.project(views, *deepcopy(model.encoder_k.module))
    assert (keys.vector - unmixed.vector).abs().max() > 1e-3

    # As one graph, and the same one whoever is in a group
    model.orders.set_state(state)
    hook = HOOKS.build(
        dict(type='mmregioncl.CompileHook', backend='eager', fullgraph=True))
    hook.before_train(SimpleNamespace(model=model))
    for key, eager in zip(model.encode_keys(views), keys):
        torch.testing.assert_close(key, eager, rtol=0, atol=1e-11)
    with patch('torch._dynamo.config.error_on_recompile', True):
        model.encode_keys(views)

    # Frozen statistics: all encode their own, and nothing is drawn.
    model.encoder_k.eval()
    state = model.orders.get_state()
    keys = model.encode_keys(views)
    assert torch.equal(model.orders.get_state(), state)
    alone = model.project(views, *model.encoder_k.module)
    assert all(map(torch.equal, keys, alone))


def half_precision_is_near() -> None:
    """Under autocast both ways round otherwise, and little."""
    views = torch.randn(
        6, 3, 32, 32, generator=torch.Generator().manual_seed(get_rank()))
    with torch.autocast('cpu', torch.bfloat16):
        keys = [
            build('RegionCLDenseCL', way).encode_keys(views) for way in WAYS
        ]
    exact = build('RegionCLDenseCL', 'images').encode_keys(views)
    for by_images, by_statistics, wanted in zip(*keys, exact):
        assert by_images.dtype == by_statistics.dtype
        for found in (by_images, by_statistics):
            assert (found - wanted).norm() < 0.06 * wanted.norm()


def other_batch_norms_send_images() -> None:
    """Their classes may do more than normalise."""
    views = torch.randn(
        6, 3, 32, 32, generator=torch.Generator().manual_seed(get_rank()))
    keys = []
    for way in WAYS:
        model = build(
            'RegionCLDenseCL', way, norm_cfg=dict(type='ActivatedBN'))
        assert any(
            isinstance(module, ActivatedBN)
            for module in model.encoder_k.modules())
        keys.append(model.encode_keys(views))
    assert all(map(torch.equal, *keys))


def batch_norms_of_groups() -> None:
    """Against PyTorch's, of the rows of each group, whatever its settings."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.Generator().manual_seed(get_rank())
    for kind, shape, options in (
        (nn.BatchNorm1d, (6, 5), dict()),
        (nn.BatchNorm1d, (6, 5, 7), dict(momentum=None)),
        (nn.BatchNorm2d, (6, 5, 4, 3), dict(momentum=0.3, eps=0.1)),
        (nn.BatchNorm2d, (6, 5, 4, 3), dict(affine=False)),
        (nn.BatchNorm2d, (6, 5, 4, 3), dict(bias=False)),
        (nn.BatchNorm2d, (6, 5, 4, 3), dict(track_running_stats=False)),
        (nn.BatchNorm3d, (6, 5, 4, 3, 2), dict()),
    ):
        torch.manual_seed(0)
        encoder = nn.Sequential(kind(5, **options)).double()
        for parameter in encoder.parameters():
            nn.init.normal_(parameter)
        plain = [deepcopy(encoder) for _ in range(get_world_size())]
        ShuffledBatchNorm.convert(encoder)
        for _ in range(2):
            rows = torch.randn(shape, generator=noise, dtype=torch.float64)
            rows += 1000
            everyone = torch.cat(all_gather(rows))
            order = draw_order(6, generator)
            with in_groups([*encoder], plan_groups(order, rows.device)):
                normalised = encoder(rows)
            groups = [
                norm(everyone[places])
                for places, norm in zip(order.view(-1, 6), plain)
            ]
            torch.testing.assert_close(
                normalised,
                torch.cat(groups)[order.argsort().view(-1, 6)[get_rank()]],
                rtol=0,
                atol=1e-8)
            for name, value in encoder.state_dict().items():
                torch.testing.assert_close(
                    value, plain[get_rank()].state_dict()[name])
        # A difference of squares in float32 would be off by 0.1.
        encoder.float()
        with in_groups([*encoder], plan_groups(order, rows.device)):
            torch.testing.assert_close(
                encoder(rows.float()), normalised.float(), rtol=0, atol=5e-3)
            assert encoder(rows.bfloat16()).dtype == torch.bfloat16
        # Outside of it, plain batch norm
        plain = plain[get_rank()].float()
        plain.load_state_dict(encoder.state_dict())
        assert torch.equal(encoder(rows.float()), plain(rows.float()))


def main() -> None:
    init_dist('pytorch', backend='gloo')
    init_default_scope('mmselfsup')
    torch.set_num_threads(1)
    redistribute_as_gathered()
    batch_norms_of_groups()
    for way in WAYS:
        keys_are_of_mixed_batches(way)
    half_precision_is_near()
    other_batch_norms_send_images()
    print('all ranks agree')


if __name__ == '__main__':
    main()
