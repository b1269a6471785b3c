"""Run by two gloo processes: queue and keys must agree across them."""
import os
import sys
from functools import partial
from itertools import product
from types import SimpleNamespace
from unittest.mock import Mock

import torch
from mmengine.dist import all_gather, get_rank, init_dist
from mmengine.logging import MessageHub
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import HOOKS, MODELS, init_default_scope
from torch import distributed
from torch.nn.functional import normalize

from mmregioncl.models.utils import Region, ShuffledBatchNorm, swap_region

sys.path.insert(0, os.environ['TESTS'])
from conftest import MODEL, PARENTS, method_cfgs  # noqa: E402
from shuffle_ranks import WAYS, build  # noqa: E402
from test_host_waits import WAITS, operators  # noqa: E402


def agree(tensor: torch.Tensor) -> bool:
    first, second = all_gather(tensor)
    return torch.equal(first, second)


def steps_send_what_they_need() -> None:
    """Bytes that each rank hands to collectives in a step, and no more.

    Nothing waits for the device in between.

    For ShuffleBN either two moments of each channel and process, in each layer
    of batch norm; or the images to encode, once, and what the key encoder
    makes of them back, once. The keys, to all, for the queue. Gradients are
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
    for way, frozen, half, name in product(WAYS, (False, True), (False, True),
                                           queued):
        model = build(name, way)
        model.region_swap = lambda views: (swap_region(views, region.scale(8)),
                                           region)
        model.encoder_k.count = 0
        exchanges = way == 'images' and not frozen
        rows, moments = [*queued[name]], []
        if frozen:  # without statistics of a process' own, nothing to mix
            model.encoder_k.eval()
        elif exchanges:
            rows += exchanged[name]
        else:
            moments = [
                2 * 2 * norm.num_features * 8  # of float64
                for norm in model.encoder_k.modules()
                if isinstance(norm, ShuffledBatchNorm)
            ]
            assert len(moments) == 20
        wanted = [size // (1 + half) for size in rows] + moments
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
        masked = {'aten::nonzero'} if exchanges else set()
        assert WAITS & counts.keys() == masked, (name, way)
        sent.clear()


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
    """Row by row over both processes, with batch norm in eval mode."""
    torch.manual_seed(0)
    model = MODELS.build(method_cfgs('RegionCLSimCLR')[0]).eval()
    noise = torch.Generator().manual_seed(get_rank())
    inputs = [torch.randn(6, 3, 32, 32, generator=noise) for _ in range(2)]
    pairs = []
    swap_and_project = model.project_regions
    model.project_regions = lambda view: pairs.append(swap_and_project(view)
                                                      ) or pairs[-1]
    loss = model(inputs, mode='loss')['loss_region']

    def gather(rows: torch.Tensor) -> list:
        return [unit for rank in all_gather(rows) for unit in normalize(rank)]

    views = [gather(model.neck(model.backbone(v))[0]) for v in inputs]
    rows = []
    for view, regions in enumerate(pairs):
        regions = [gather(region) for region in regions]
        for kind in range(2):
            for i in range(12):
                rank, place = divmod(i, 6)
                neighbour = regions[1 - kind][6 * rank + 5 - place]
                others = [v[k] for v in views for k in range(12) if k != i]
                logits = torch.stack([
                    regions[kind][i] @ other / 0.2
                    for other in (views[1 - view][i], *others, neighbour)
                ])
                rows.append(logits.exp().sum().log() - logits[0])
    torch.testing.assert_close(
        loss, torch.stack(rows).mean(), rtol=0, atol=1e-5)


def main() -> None:
    init_dist('pytorch', backend='gloo')
    init_default_scope('mmselfsup')
    torch.set_num_threads(1)

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

    steps_send_what_they_need()
    every_method_trains()
    simclr_takes_the_images_of_all()

    # A loss that is bad on one rank alone stops both, with the same words.
    guard = HOOKS.build(dict(type='mmregioncl.GuardHook'))
    guard.after_train_iter(
        SimpleNamespace(iter=6),
        0,
        outputs=dict(
            loss_instance=torch.tensor(1.),
            loss_region=torch.tensor(float('nan') if get_rank() else 1.)))
    try:
        guard.check_losses(Mock(_resume=False))
    except FloatingPointError as error:
        assert str(error).startswith('loss_region became NaN or inf at step 7')
        print('two ranks agree')


if __name__ == '__main__':
    main()
