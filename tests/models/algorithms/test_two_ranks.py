"""What several gloo processes share: queues, keys, batches and errors."""
from copy import deepcopy
from functools import partial
from itertools import product, repeat
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock, patch

import pytest
import torch
from mmengine.config import Config
from mmengine.dist import all_gather, get_rank, get_world_size
from mmengine.logging import MessageHub
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import HOOKS, MODELS
from torch import distributed
from torch.nn.functional import normalize

from host_waits import WAITS, operators
from mmregioncl.models.utils import (Region, draw_order, plan_exchange,
                                     redistribute, shared_seed, swap_region)
from toy import CROSS_ENTROPY, MODEL, PARENTS, method_cfgs

CONFIGS = Path(__file__).parents[3] / 'configs' / '_base_' / 'models'


def agree(tensor: torch.Tensor) -> bool:
    first, second = all_gather(tensor)
    return torch.equal(first, second)


def queue_and_keys_agree() -> None:
    torch.manual_seed(0)  # as MMEngine does: the same weights and regions
    model = MODELS.build(MODEL).train()
    ddp = MMDistributedDataParallel(
        model, device_ids=[get_rank()], broadcast_buffers=False)
    optim = torch.optim.SGD(model.parameters(), 0.05)

    swap = model.region_swap
    regions = []

    def note_region(views: torch.Tensor) -> tuple:
        composites, region = swap(views)
        regions.append(region)
        return composites, region

    model.region_swap = note_region

    noise = torch.Generator().manual_seed(get_rank())
    for step in range(4):
        keys = []
        forward = model._dequeue_and_enqueue
        model._dequeue_and_enqueue = lambda k: (keys.append(k), forward(k))
        inputs = [torch.randn(6, 3, 32, 32, generator=noise) for _ in range(2)]
        place = int(model.queue_ptr)
        losses = ddp(inputs, mode='loss')
        model._dequeue_and_enqueue = forward

        # Both ranks wrote the keys of rank 0, then those of rank 1.
        everyone = torch.cat(all_gather(keys[0]))  # (12, D)
        slots = (place + torch.arange(12)) % 32
        assert torch.equal(model.queue[:, slots].T, everyone)
        assert agree(model.queue) and agree(model.queue_ptr)
        assert agree(torch.tensor(regions[-1]))  # one region for all
        assert not agree(losses['loss_instance'])  # each has images of its own

        optim.zero_grad()
        sum(losses.values()).backward()
        optim.step()
        assert all(agree(weight) for weight in model.parameters())


def steps_send_what_they_need() -> None:
    """Bytes that each rank hands to collectives in a step, and no more.

    Nothing waits for the device in between.

    For ShuffleBN the images to encode, once, and what the key encoder makes of
    them back, once. The keys, to all, for the queue. Gradients are
    DistributedDataParallel's and are not counted here.
    """
    sent = []
    calls = {
        name: getattr(distributed, name)
        for name in ('all_to_all_single', 'all_gather', 'broadcast',
                     'all_reduce', 'all_gather_into_tensor')
    }

    def count(name, *args, **kwargs):
        tensor = args[0] if name in ('broadcast', 'all_reduce') else args[1]
        sent.append(tensor.nbytes)
        return calls[name](*args, **kwargs)

    views = [torch.randn(6, 3, 32, 32) for _ in range(2)]
    image = 6 * 3 * 32 * 32 * 4
    key = 6 * 8 * 4  # 8 channels of float32
    cells = 6 * 8 * 16 * 4  # of a 4x4 grid
    features = 6 * 64 * 16 * 4  # the map that cells are matched by
    queued = dict(RegionCLMoCo=[key], RegionCLDenseCL=[key, key])
    exchanged = dict(
        RegionCLMoCo=[image, key],
        RegionCLDenseCL=[image, key, cells, key, features])
    region = Region(1, 0, 2, 3)
    for frozen, half, name in product((False, True), (False, True), queued):
        torch.manual_seed(0)
        model = MODELS.build(method_cfgs(name)[0]).train()
        model.region_swap = lambda views: (swap_region(views, region.scale(8)),
                                           region)
        model.encoder_k.count = 0
        model.order_seed = 1
        rows = [*queued[name]]
        if frozen:  # no statistics of one process: nothing to mix
            model.encoder_k.eval()
        else:
            rows += exchanged[name]
        wanted = [size // (1 + half) for size in rows]
        for call in calls:
            setattr(distributed, call, partial(count, call))
        try:
            with torch.autocast('cpu', torch.bfloat16, enabled=half):
                counts = operators(lambda: model(views, mode='loss'))
        finally:
            for call, send in calls.items():
                setattr(distributed, call, send)
        assert sorted(sent) == sorted(wanted), (name, sent, wanted)
        # Images that go to another process are found on the host.
        masked = set() if frozen else {'aten::nonzero'}
        assert WAITS & counts.keys() == masked, name
        sent.clear()


def keys_of_all_ranks_are_compared() -> None:
    """MoCo v3: each row against the keys of both processes.

    The last image of either has no regions.
    """
    torch.manual_seed(0)
    head = MODELS.build(method_cfgs('RegionCLMoCoV3')[0]['head']).eval()
    draw = partial(torch.randn, 5, 16)
    everyone = [[draw() for _ in range(3)] for _ in range(2)]
    canvas, paste, keys = everyone[get_rank()]
    region = head.loss_region(canvas[:4], paste[:4], keys)
    whole = head.loss_instance(canvas, keys)

    all_keys = normalize(torch.cat([keys for _, _, keys in everyone]))
    sums = dict(whole=[], region=[])
    for place, rows in (('canvas', canvas), ('paste', paste)):
        beside = paste if place == 'canvas' else canvas
        for row in range(5):
            query = normalize(head.predictor([rows[row:row + 1]])[0])[0]
            logits = all_keys @ query / 0.2
            own = logits[5 * get_rank() + row]
            if place == 'canvas':
                sums['whole'].append(logits.logsumexp(0) - own)
            if row < 4:
                neighbour = normalize(beside[3 - row], dim=0) @ query / 0.2
                sums['region'].append(
                    torch.cat((logits, neighbour[None])).logsumexp(0) - own)
    for loss, rows in ((whole, sums['whole']), (region, sums['region'])):
        torch.testing.assert_close(loss, 0.4 * torch.stack(rows).mean())


def late_frozen_weights_are_found() -> None:
    """MoCoV3ViT freezes weights when it is initialized, after wrapping."""
    MessageHub.get_current_instance().update_info('max_iters', 10)
    cfg = Config.fromfile(CONFIGS / 'mocov3_vit-small-p16.py')
    model = cfg.model.to_dict()
    model.update(type='mmregioncl.RegionCLMoCoV3')
    model['backbone'].update(
        arch=dict(
            embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16),
        img_size=32)
    model['neck'].update(
        in_channels=16, hid_channels=8, norm_cfg=dict(type='BN1d'))
    model['head']['predictor'].update(
        hid_channels=8, norm_cfg=dict(type='BN1d'))
    model['head']['loss'].update(type=CROSS_ENTROPY)
    ddp = MMDistributedDataParallel(
        MODELS.build(model).train(),
        device_ids=[get_rank()],
        broadcast_buffers=False,
        find_unused_parameters=cfg.find_unused_parameters)
    ddp.module.init_weights()
    for _ in range(2):
        inputs = [torch.randn(4, 3, 48, 48) for _ in range(2)]
        sum(ddp(inputs, mode='loss').values()).backward()


def every_method_trains() -> None:
    MessageHub.get_current_instance().update_info('max_iters', 10)
    noise = torch.Generator().manual_seed(get_rank())
    for name in PARENTS:
        torch.manual_seed(0)
        model = MODELS.build(method_cfgs(name)[0]).train()
        ddp = MMDistributedDataParallel(
            model, device_ids=[get_rank()], broadcast_buffers=False)
        optim = torch.optim.SGD(model.parameters(), 0.05)
        for _ in range(2):
            inputs = [
                torch.randn(6, 3, 32, 32, generator=noise) for _ in range(2)
            ]
            losses = ddp(inputs, mode='loss')
            optim.zero_grad()
            sum(losses.values()).backward()
            optim.step()
            assert all(agree(weight) for weight in model.parameters()), name
            for queue in ('queue', 'queue2'):
                assert agree(getattr(model, queue, torch.zeros(1))), name


def simclr_takes_the_images_of_all() -> None:
    """Row by row over both processes, with batch norm in eval mode.

    The last of 7 images of either has no regions. Where composites take the
    place of views, the first 4 have some, compared with second views alone.
    """
    for share, per_rank, seen in ((None, 6, (0, 1)), (0.5, 4, (1, ))):
        torch.manual_seed(0)
        cfg = dict(method_cfgs('RegionCLSimCLR')[0], region_share=share)
        model = MODELS.build(cfg).eval()
        noise = torch.Generator().manual_seed(get_rank())
        inputs = [torch.randn(7, 3, 32, 32, generator=noise) for _ in range(2)]
        pairs = []
        swap_and_project = model.project_regions
        model.project_regions = lambda *args: pairs.append(
            swap_and_project(*args)) or pairs[-1]
        loss = model(inputs, mode='loss')['loss_region']
        views = [gather(model.neck(model.backbone(v))[0]) for v in inputs]
        rows = []
        for view, regions in enumerate(pairs):
            regions = [gather(region) for region in regions]
            for kind, i in product(range(2), range(2 * per_rank)):
                rank, place = divmod(i, per_rank)
                neighbour = regions[1 - kind][per_rank * (rank + 1) - 1 -
                                              place]
                image = 7 * rank + place
                others = [
                    views[v][k] for v in seen for k in range(14) if k != image
                ]
                logits = torch.stack([
                    regions[kind][i] @ other / 0.2
                    for other in (views[1 - view][image], *others, neighbour)
                ])
                rows.append(logits.exp().sum().log() - logits[0])
        torch.testing.assert_close(
            loss, torch.stack(rows).mean(), rtol=0, atol=1e-5)


def distilled_transformer_trains() -> None:
    """DeiT in MoCo v3: no weight is left without a gradient, and all agree."""
    MessageHub.get_current_instance().update_info('max_iters', 100)
    torch.manual_seed(0)
    cfg = method_cfgs('RegionCLMoCoV3')[0]
    del cfg['region_swap']
    cfg['backbone'] = dict(
        type='mmregioncl.DistilledVisionTransformer',
        arch=dict(
            embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=64),
        img_size=32,
        patch_size=8)
    cfg['neck']['in_channels'] = 32
    model = MODELS.build(cfg).train()
    ddp = MMDistributedDataParallel(model, device_ids=[get_rank()])
    optim = torch.optim.SGD(model.parameters(), 0.05)
    token = model.backbone.dist_token.detach().clone()
    noise = torch.Generator().manual_seed(get_rank())
    for _ in range(3):
        views = [torch.randn(2, 3, 32, 32, generator=noise) for _ in range(2)]
        losses = ddp(views, mode='loss')
        optim.zero_grad()
        sum(losses.values()).backward()
        optim.step()
        assert all(agree(weight) for weight in model.parameters())
    assert not torch.equal(model.backbone.dist_token, token)


def gather(rows: torch.Tensor) -> list:
    """Vectors of both processes, normalized."""
    return [unit for rank in all_gather(rows) for unit in normalize(rank)]


def bad_loss_stops_both() -> None:
    """A loss that is bad on one rank alone stops both, with the same words."""
    guard = HOOKS.build(dict(type='mmregioncl.GuardHook'))
    guard.after_train_iter(
        SimpleNamespace(iter=6, hooks=[]),
        0,
        outputs=dict(
            loss_instance=torch.tensor(1.),
            loss_region=torch.tensor(float('nan') if get_rank() else 1.)))
    with pytest.raises(
            FloatingPointError,
            match='^loss_region became NaN or inf at step'
            ' 7'):
        guard.check_losses(Mock(_resume=False))


@pytest.mark.parametrize('function', [
    queue_and_keys_agree, steps_send_what_they_need, every_method_trains,
    simclr_takes_the_images_of_all, bad_loss_stops_both,
    keys_of_all_ranks_are_compared, late_frozen_weights_are_found,
    distilled_transformer_trains
])
def test_two_ranks(two_ranks, function):
    two_ranks(function)


def redistribute_as_gathered() -> None:
    """Against the definition: row i of all processes, wherever it goes."""
    seed = shared_seed()
    noise = torch.Generator().manual_seed(get_rank())
    rows = torch.randn(6, 2, 3, generator=noise)
    everyone = torch.cat(all_gather(rows))  # (W x 6, 2, 3)
    orders = []
    for step in range(5):
        rows = rows.transpose(1, 2)  # in any memory format
        everyone = everyone.transpose(1, 2)
        order = draw_order(6, seed, step)
        orders.append(order.tolist())
        assert all(map(torch.equal, all_gather(order), repeat(order)))
        assert order.sort().values.tolist() == [*range(len(everyone))]
        there, back = (
            plan_exchange(way, rows.device)
            for way in (order, order.argsort()))
        moved = redistribute(rows, there)
        assert torch.equal(moved, everyone[order.view(-1, 6)[get_rank()]])
        assert torch.equal(redistribute(moved, back), rows)
    assert orders[0] not in orders[1:]


def keys_are_of_mixed_batches() -> None:
    """ShuffleBN: encoded among the images of its place, and brought back."""
    torch._dynamo.reset()  # forget what other tests compiled
    torch.manual_seed(0)
    model = MODELS.build(method_cfgs('RegionCLDenseCL')[0]).train().double()
    model.order_seed = 1

    def encode(views: torch.Tensor, backbone, neck) -> tuple:
        return model.project(backbone(views), neck)

    encoders = [
        deepcopy(model.encoder_k.module) for _ in range(get_world_size())
    ]
    noise = torch.Generator().manual_seed(get_rank())
    views = torch.randn(6, 3, 32, 32, generator=noise, dtype=torch.float64)
    everyone = torch.cat(all_gather(views))  # (W x 6, 3, H, W)

    order = draw_order(6, 1, model.clock.batch)
    alone = [
        encode(everyone[places], *encoder)
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
    unmixed = encode(views, *deepcopy(model.encoder_k.module))
    assert (keys.vector - unmixed.vector).abs().max() > 1e-3

    # As one graph, and the same one whoever is in a group
    hook = HOOKS.build(
        dict(type='mmregioncl.CompileHook', backend='eager', fullgraph=True))
    hook.before_train(SimpleNamespace(model=model))
    for key, eager in zip(model.encode_keys(views), keys):
        torch.testing.assert_close(key, eager, rtol=0, atol=1e-11)
    with patch('torch._dynamo.config.error_on_recompile', True):
        model.encode_keys(views)

    # Frozen statistics: all encode their own, in no other order.
    model.encoder_k.eval()
    keys = model.encode_keys(views)
    alone = encode(views, *model.encoder_k.module)
    assert all(map(torch.equal, keys, alone))


def half_precision_is_near() -> None:
    torch.manual_seed(0)
    model = MODELS.build(method_cfgs('RegionCLDenseCL')[0]).train()
    model.order_seed = 1
    noise = torch.Generator().manual_seed(get_rank())
    views = torch.randn(6, 3, 32, 32, generator=noise)
    wanted = model.encode_keys(views)
    with torch.autocast('cpu', torch.bfloat16):
        keys = model.encode_keys(views)
    for key, exact in zip(keys, wanted):
        assert (key - exact).norm() < 0.06 * exact.norm()


@pytest.mark.parametrize('function',
                         [redistribute_as_gathered, half_precision_is_near])
def test_keys_are_redistributed(ranks, function):
    ranks(function)


@pytest.mark.slow
def test_keys_are_of_mixed_batches(three_ranks):
    three_ranks(keys_are_of_mixed_batches)
