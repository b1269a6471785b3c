from copy import deepcopy

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper

from mmregioncl.models.utils import Region


def views(count=6, size=32) -> list:
    return [torch.randn(count, 3, size, size) for _ in range(2)]


def project(neck, pooled) -> np.ndarray:
    """The neck's fc-relu-fc and the normalization, in float64."""
    first, _, last = neck.mlp
    hidden = pooled @ first.weight.double().T + first.bias.double()
    vectors = hidden.clamp(min=0) @ last.weight.double().T + last.bias.double()
    return (vectors / vectors.norm(dim=1, keepdim=True)).detach().numpy()


def cross_entropy(anchor, key, queue, *others) -> float:
    logits = np.concatenate(
        ([anchor @ key], [anchor @ other for other in others], anchor @ queue))
    return -np.log(np.exp(logits / 0.2)[0] / np.exp(logits / 0.2).sum())


@pytest.mark.parametrize('count', [2, 6])
def test_losses_equal_reference_from_images_on(model_cfg, build, count):
    """Compose, pool, project and compare row by row, slowly."""
    model = build(model_cfg).double()
    view_q, view_k = (view.double() for view in views(count))
    region = Region(1, 0, 2, 3)
    queue = model.queue.clone().numpy()

    composites = view_q.clone()
    for i in range(count):
        composites[i, :, 8:24, 0:24] = view_q[count - 1 - i, :, 8:24, 0:24]
    # Batch norm in train mode: outputs do not depend on running statistics.
    whole = model.backbone(view_q)[0].detach()
    mixed = model.backbone(composites)[0].detach()  # (N, C, 4, 4)
    cells = [(row, col) for row in range(4) for col in range(4)]
    inside = [(row, col) for row, col in cells if 1 <= row < 3 and col < 3]
    outside = [cell for cell in cells if cell not in inside]

    def pool(maps, places):
        return sum(maps[..., row, col] for row, col in places) / len(places)

    query = project(model.neck, pool(whole, cells))
    canvas = project(model.neck, pool(mixed, outside))
    paste = project(model.neck, pool(mixed, inside))  # as composited
    # The first update of the key encoder copies the query encoder.
    key = project(model.neck, pool(model.backbone(view_k)[0].detach(), cells))

    instance, rows = [], []
    for i in range(count):
        j = count - 1 - i  # composite i: canvas of image i, paste of image j
        instance.append(cross_entropy(query[i], key[i], queue))
        rows.append(cross_entropy(canvas[i], key[i], queue, paste[i]))
        rows.append(cross_entropy(paste[i], key[j], queue, canvas[i]))

    model.region_swap = lambda views: (composites, region)
    losses = model([view_q, view_k], mode='loss')
    assert losses['loss_instance'].item() == pytest.approx(
        np.mean(instance), rel=1e-9)
    assert losses['loss_region'].item() == pytest.approx(
        np.mean(rows), rel=1e-9)


def test_any_callable_may_swap(model_cfg, build):
    model = build(model_cfg)
    model.region_swap = lambda views: (views.clone(), Region(0, 0, 2, 2))
    losses = model(views(), mode='loss')
    assert all(loss.isfinite() for loss in losses.values())


def test_queue_holds_keys_of_whole_views_alone(model_cfg, build):
    model = build(model_cfg)
    inputs = views()
    encoder = deepcopy(model)
    model(inputs, mode='loss')
    expected = torch.nn.functional.normalize(
        encoder.neck(encoder.backbone(inputs[1]))[0], dim=1)  # (N, D)
    torch.testing.assert_close(
        model.queue[:, :6].T, expected, rtol=0, atol=1e-6)
    assert torch.equal(model.queue[:, 6:], encoder.queue[:, 6:])
    assert model.queue_ptr.tolist() == [6]


@pytest.mark.parametrize('count', [6, 40])  # not a divisor of 32; more than 32
def test_any_batch_trains(model_cfg, build, count):
    model = build(model_cfg)
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), 0.01))
    before = {name: t.clone() for name, t in model.state_dict().items()}
    for step in range(3):
        data = dict(inputs=[
            torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8)
            for _ in range(2)
        ])
        data['data_samples'] = [None] * count
        logs = model.train_step(data, optim)
        assert set(logs) == {'loss', 'loss_instance', 'loss_region'}
        assert torch.isfinite(logs['loss'])
    assert model.queue_ptr.item() == 3 * count % 32
    after = model.state_dict()
    moved = [n for n in before if not torch.equal(before[n], after[n])]
    assert len(moved) == len(before)


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_mixed_precision_gives_nearly_the_same(model_cfg, build, device,
                                               dtype):
    model = build(model_cfg).to(device)
    model.region_swap = lambda views: (views.flip(0), Region(0, 0, 2, 2))
    inputs = [view.to(device) for view in views(8)]
    twin = deepcopy(model)
    exact = twin(inputs, mode='loss')
    with torch.autocast(device, dtype):
        mixed = model(inputs, mode='loss')
    for name, loss in mixed.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(exact[name].item(), rel=0.02)
    assert model.queue.dtype == torch.float32
    torch.testing.assert_close(model.queue, twin.queue, rtol=0, atol=0.05)
    sum(mixed.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.neck.parameters())


def test_channels_last_gives_the_same(model_cfg, build):
    model = build(model_cfg)
    inputs = views(4)
    twin = deepcopy(model).to(memory_format=torch.channels_last)
    results = []
    for network, memory_format in ((model, torch.contiguous_format),
                                   (twin, torch.channels_last)):
        torch.manual_seed(1)  # for the region
        results.append(
            network([v.to(memory_format=memory_format) for v in inputs],
                    mode='loss'))
    for name, loss in results[0].items():
        assert results[1][name].item() == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize('setting, words', [
    (dict(feat_dim=16), 'set feat_dim to the neck'),
    (dict(queue_len=0), 'queue_len=0 of RegionCLMoCo has to be a whole numb'),
    (dict(queue_len=-5), 'queue_len=-5 of RegionCLMoCo'),
    (dict(queue_len=3.5), 'queue_len=3.5 of RegionCLMoCo'),
])
def test_queue_that_does_not_fit_is_refused(model_cfg, build, setting, words):
    with pytest.raises(ValueError, match=words):
        build(dict(model_cfg, **setting))(views(2), mode='loss')
