"""RegionCL on MoCo v2, DenseCL, SimSiam, BYOL, MoCo v3 and SimCLR.

The references follow the definitions image by image and row by row in float64;
backbone, neck and predictor are taken as given.
"""
from copy import deepcopy

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import MODELS
from torch import nn

from mmregioncl import host
from mmregioncl.hooks.compile_hook import BACKBONES
from mmregioncl.models.parents import HOST_MODELS, map_advice, with_settings
from mmregioncl.models.utils import MAP_SETTINGS, Region
from toy import CROSS_ENTROPY, LATENT_HEAD, method_cfgs

T = 0.2


def views(count=6) -> list:
    return [torch.randn(count, 3, 32, 32) for _ in range(2)]


def unit(vector):
    return vector / vector.pow(2).sum().sqrt()


def cross_entropy(anchor, positive, negatives):
    """Loss of an anchor (D,), its positive (D,) and its negatives [(D,)]."""
    logits = [
        unit(anchor) @ unit(other) / T for other in [positive, *negatives]
    ]
    return -(logits[0] - torch.stack(logits).exp().sum().log())


def test_passes_are_counted(method, build):
    """Evaluations are scheduled by them; a backward pass counts as two."""
    model = build(method[0])
    passes = []

    def count(module, args, output) -> None:
        passes.append(len(args[0]) * (3 if torch.is_grad_enabled() else 1))

    for name, module in model.named_modules():
        if name in BACKBONES:
            module.register_forward_hook(count)
    for model.symmetric in (True, False):  # no setting of RegionCL-M and -D
        model(views(6), mode='loss')
        assert sum(passes) == 6 * model.passes_per_image
        passes.clear()
    regular = model.passes_per_image
    model.region_share = 0.5
    model(views(8), mode='loss')
    assert sum(passes) == 8 * model.passes_per_image == 8 * (regular - 3)


class Swap:
    """Draws as the transform does, and notes each region."""

    def __init__(self, swap) -> None:
        self.swap, self.stride, self.regions = swap, swap.stride, []

    def __call__(self, view):
        composites, region = self.swap(view)
        self.regions.append(region)
        return composites, region


def regions_of(model, view, region: Region):
    """Projections of canvas and paste of each source image, (N, D) each."""
    count, side = len(view) // 2 * 2, 8  # the last of an odd batch sits out
    view = view[:count]
    composites = torch.stack([image.clone() for image in view])
    rows = range(region.top, region.top + region.height)
    cols = range(region.left, region.left + region.width)
    for i in range(count):
        for row in rows:
            for col in cols:
                cell = (slice(row * side, row * side + side),
                        slice(col * side, col * side + side))
                composites[i][:, cell[0],
                              cell[1]] = view[count - 1 - i][:, cell[0],
                                                             cell[1]]
    maps = model.backbone(composites)[0]  # (N, C, 4, 4)
    inside, outside = [], []
    for row in range(4):
        for col in range(4):
            within = row in rows and col in cols
            (inside if within else outside).append(maps[:, :, row, col])
    canvas = sum(outside) / len(outside)
    pasted = sum(inside) / len(inside)  # as composited
    paste = torch.stack([pasted[count - 1 - i] for i in range(count)])
    pooled = torch.cat((canvas, paste))
    projected = model.neck([pooled[..., None, None]])[0]
    return projected[:count], projected[count:]


def region_rows(canvas, paste, positives, negatives):
    """Mean of the contrastive rows of both regions of all images."""
    count, rows = len(canvas), []
    for i in range(count):
        j = count - 1 - i  # canvas i and paste j are one composite
        rows.append(
            cross_entropy(canvas[i], positives[i],
                          [*negatives[i], paste[j].detach()]))
        rows.append(
            cross_entropy(paste[i], positives[i],
                          [*negatives[i], canvas[j].detach()]))
    return sum(rows) / len(rows)


def shown(model, count):
    """Images whose first view is a composite, and those where it is whole."""
    if model.region_share is None:
        return [*range(count)], [*range(count)]
    mixed = 2 * round(count * model.region_share / 2)
    return [*range(mixed)], [*range(mixed, count)]


def moco(model, inputs, regions):
    mixed, whole = shown(model, len(inputs[0]))
    q = model.neck(model.backbone(inputs[0][whole]))[0]
    k = model.neck(model.backbone(inputs[1]))[0].detach()
    queue = model.queue.T
    rows = [cross_entropy(q[n], k[i], queue) for n, i in enumerate(whole)]
    pair = regions_of(model, inputs[0][mixed], regions[0])
    return dict(
        loss_instance=sum(rows) / len(rows),
        loss_region=region_rows(*pair, k, [queue] * len(k)))


def densecl(model, inputs, regions):
    view_q, view_k = inputs
    mixed, whole = shown(model, len(view_q))
    maps_q, maps_k = map(model.backbone, (view_q[whole], view_k))
    maps_q, maps_k = maps_q[0], maps_k[0]
    q, grid_q, _ = model.neck([maps_q])
    with torch.no_grad():  # the first update copies the query encoder
        k, grid_k, _ = model.neck([maps_k])
        maps_q, maps_k = maps_q.flatten(2), maps_k.flatten(2)
    count, queue, queue2 = len(view_q), model.queue.T, model.queue2.T

    single = [cross_entropy(q[n], k[i], queue) for n, i in enumerate(whole)]
    dense = []
    for n, i in enumerate(whole):
        for cell in range(16):
            likeness = [
                unit(maps_q[n, :, cell]) @ unit(maps_k[i, :, other])
                for other in range(16)
            ]
            match = max(range(16), key=likeness.__getitem__)
            dense.append(
                cross_entropy(grid_q[n, :, cell], grid_k[i, :, match], queue2))

    class Global(nn.Module):  # the neck's branch for regions
        backbone = model.backbone

        @staticmethod
        def neck(x):
            return [model.neck.mlp(x[0].flatten(1))]

    canvas, paste = regions_of(Global, view_q[mixed], regions[0])
    return dict(
        loss_single=sum(single) / len(single) / 2,
        loss_dense=sum(dense) / len(dense) / 2,
        loss_region=region_rows(canvas, paste, k, [queue] * count))


def latent(model, inputs, regions, average, factor):
    mixed, whole = shown(model, len(inputs[0]))
    z1, z2 = (
        model.neck(model.backbone(view))[0]
        for view in (inputs[0][whole], inputs[1]))
    if average:  # the first update copies the online network
        t1, t2 = (
            model.neck(model.backbone(view))[0].detach() for view in inputs)
    else:
        t1, t2 = z1, z2

    def distance(source, target):
        predicted = model.head.predictor([source])[0]
        return -sum(
            unit(a) @ unit(b.detach())
            for a, b in zip(predicted, target)) / len(target)

    both = distance(z1, t2[whole])
    both = both + distance(z2 if average else z2[whole], t1)
    rows = []  # of each view that has a region
    for view, region, target in zip(inputs, regions, (t2, t1)):
        canvas, paste = regions_of(model, view[mixed], region)
        pair = torch.cat((canvas, paste))
        rows.append(distance(pair, torch.cat([target[:len(canvas)]] * 2)))
    return dict(
        loss_instance=factor * both / 2,
        loss_region=factor * sum(rows) / len(rows))


def simsiam(model, inputs, regions):
    return latent(model, inputs, regions, False, 1)


def byol(model, inputs, regions):
    return latent(model, inputs, regions, True, 4)


def mocov3(model, inputs, regions):
    mixed, whole = shown(model, len(inputs[0]))
    z1, z2 = (
        model.neck(model.backbone(view))[0]
        for view in (inputs[0][whole], inputs[1]))
    keys = [  # the first update copies the encoder
        model.neck(model.backbone(view))[0].detach() for view in inputs
    ]

    def contrast(projected, targets, neighbours):
        rows = model.head.predictor([projected])[0]
        count = len(rows) // 2 if neighbours else len(rows)
        losses = []
        for row, anchor in enumerate(rows):
            image = row % count
            others = [*targets[:image], *targets[image + 1:]]
            others += neighbours[row:row + 1]
            losses.append(cross_entropy(anchor, targets[image], others))
        return 2 * T * sum(losses) / len(losses)

    both = contrast(z1, keys[1][whole], []) + contrast(z2, keys[0], [])
    rows = []
    for view, region, targets in zip(inputs, regions, keys[::-1]):
        canvas, paste = regions_of(model, view[mixed], region)
        beside = [*paste.detach().flip(0), *canvas.detach().flip(0)]
        rows.append(contrast(torch.cat((canvas, paste)), targets, beside))
    return dict(loss_instance=both, loss_region=2 * sum(rows) / len(rows))


def simclr(model, inputs, regions):
    count = len(inputs[0])
    mixed, whole = shown(model, count)
    together = torch.cat((inputs[0][whole], inputs[1]))
    z = model.neck(model.backbone(together))[0]
    z = [dict(zip(whole, z)), dict(enumerate(z[len(whole):]))]  # by image
    both = []
    for i in whole:
        others = [z[v][k] for k in whole for v in range(2) if k != i]
        both += [cross_entropy(z[v][i], z[1 - v][i], others) for v in range(2)]
    # Where composites take the place of views, the others are the negatives.
    seen = (1, ) if model.region_share else (0, 1)
    others = [[z[v][k] for k in range(count) for v in seen if k != i]
              for i in range(count)]
    rows = [
        region_rows(*regions_of(model, inputs[v][mixed], regions[v]), z[1 - v],
                    others) for v in range(len(regions))
    ]
    return dict(
        loss_instance=sum(both) / len(both), loss_region=sum(rows) / len(rows))


def gradients(model, loss):
    """Gradients by name; None for weights that the loss does not reach."""
    weights = {n: w for n, w in model.named_parameters() if w.requires_grad}
    grads = torch.autograd.grad(
        loss, [*weights.values()], retain_graph=True, allow_unused=True)
    return dict(zip(weights, grads))


REFERENCES = dict(
    RegionCLMoCo=moco,
    RegionCLDenseCL=densecl,
    RegionCLSimSiam=simsiam,
    RegionCLBYOL=byol,
    RegionCLMoCoV3=mocov3,
    RegionCLSimCLR=simclr)


@pytest.mark.parametrize('count, share', [(4, None), (5, None), (7, 0.3)])
def test_losses_and_gradients_equal_reference(method, build, count, share,
                                              device):
    model = build(dict(method[0], region_share=share)).double().to(device)
    model.region_swap = Swap(model.region_swap)
    for name, buffer in model.named_buffers():
        if name in ('queue', 'queue2'):  # of length 1 in float64 as well
            buffer.copy_(nn.functional.normalize(buffer, dim=0))
    twin = deepcopy(model)
    inputs = [view.double().to(device) for view in views(count)]

    losses = model(inputs, mode='loss')
    expected = REFERENCES[type(model).__name__](twin, inputs,
                                                model.region_swap.regions)
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(expected[name].item(), abs=1e-9)
        # Term by term: what learns from a term, and what is detached.
        ours, theirs = (gradients(network, value)
                        for network, value in ((model, loss),
                                               (twin, expected[name])))
        assert ours.keys() == theirs.keys()
        for key, got in ours.items():
            wanted = theirs[key]
            if wanted is None:
                assert got is None, (name, key)
            else:
                torch.testing.assert_close(
                    got, wanted, rtol=1e-6, atol=1e-9, msg=f'{name} {key}')


@pytest.mark.slow
@pytest.mark.parametrize('dtype, most', [(torch.float32, 1e-5),
                                         (torch.float16, 0.02),
                                         (torch.bfloat16, 0.1)])
def test_losses_equal_float64(method, build, device, dtype, most):
    """In float32, and by autocast in less, with gradients that are finite."""
    model = build(method[0])
    exact, inputs = deepcopy(model).double(), views()
    torch.manual_seed(1)  # for the regions
    expected = exact([view.double() for view in inputs], mode='loss')
    torch.manual_seed(1)
    model.to(device)
    with torch.autocast(device, dtype, enabled=dtype != torch.float32):
        losses = model([view.to(device) for view in inputs], mode='loss')
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(expected[name].item(), abs=most)
    sum(losses.values()).backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters()
               if weight.grad is not None)


def test_weight_zero_is_the_parent(method, build):
    ours = build(dict(method[0], region_weight=0.)).double()
    theirs = build(method[1]).double()
    theirs.load_state_dict(ours.state_dict())
    optims = [
        torch.optim.SGD(m.parameters(), 0.05, 0.9) for m in (ours, theirs)
    ]
    for step in range(3):  # averages and queues have to stay together as well
        inputs = [view.double() for view in views(8)]
        totals = []
        for model, optim in zip((ours, theirs), optims):
            optim.zero_grad()
            total = sum(model.loss(inputs, []).values())
            total.backward()
            totals.append(total.item())
        assert totals[0] == pytest.approx(totals[1], abs=1e-6)
        for (name, a), b in zip(ours.named_parameters(), theirs.parameters()):
            if b.grad is not None:
                torch.testing.assert_close(
                    a.grad, b.grad, rtol=1e-5, atol=1e-6, msg=name)
        for optim in optims:
            optim.step()


def test_checkpoints_fit_the_parent_both_ways(method, build, tmp_path):
    ours, theirs = map(build, method)
    for source, target in ((theirs, ours), (ours, theirs)):
        source.loss(views(8), [])
        torch.save(source.state_dict(), tmp_path / 'weights.pth')
        target.load_state_dict(
            torch.load(tmp_path / 'weights.pth'), strict=True)
        for name, value in source.state_dict().items():
            assert torch.equal(target.state_dict()[name], value), name


def test_regions_reach_every_weight(method, build):
    model = build(method[0])
    model(views(), mode='loss')['loss_region'].backward()
    untouched = [
        name for name, weight in model.named_parameters()
        if weight.requires_grad and not name.startswith('neck.mlp2')
        # A bias before batch norm has no effect.
        and not name.endswith(('fc0.bias', )) and (
            weight.grad is None or weight.grad.abs().sum() == 0)
    ]
    assert untouched == []


def test_one_sided_form_swaps_the_first_view(method, build):
    if 'queue_len' in method[0]:
        with pytest.raises(TypeError, match="argument 'symmetric'"):
            MODELS.build(dict(method[0], symmetric=False))
        return
    model = build(dict(method[0], symmetric=False)).double()
    model.region_swap = Swap(model.region_swap)
    twin = deepcopy(model)
    inputs = [view.double() for view in views()]
    loss = model(inputs, mode='loss')['loss_region'].item()

    regions = model.region_swap.regions
    assert len(regions) == 1
    expected = REFERENCES[type(model).__name__](twin, inputs, regions)
    assert loss == pytest.approx(expected['loss_region'].item(), abs=1e-9)


def test_composites_leave_batch_norm_of_whole_views_alone(method, build):
    """Whole views are normalized as in the parent: in calls of their own."""
    model = build(method[0])
    batches = []
    model.backbone.register_forward_pre_hook(
        lambda module, args: batches.append(args[0].shape[0]))
    model(views(6), mode='loss')
    name = type(model).__name__
    assert batches == dict(
        RegionCLMoCo=[6, 6],
        RegionCLDenseCL=[6, 6],
        RegionCLSimSiam=[6] * 4,
        RegionCLBYOL=[6] * 4,
        RegionCLMoCoV3=[6] * 4,
        RegionCLSimCLR=[12, 6, 6])[name]


@pytest.mark.parametrize('inputs, message', [
    ([torch.zeros(4, 3, 32, 32)] * 3, 'needs two views, not 3: set num_views'),
    ([torch.zeros(4, 3, 32, 32)], 'needs two views, not 1: set num_views'),
    ([torch.zeros(4, 3, 32, 32),
      torch.zeros(4, 3, 24, 24)], 'needs views of one size'),
    ([torch.zeros(1, 3, 32, 32)] * 2, 'images in a batch, but got 1: set a '),
    ([torch.zeros(4, 3, 36, 36)] * 2, '36x36 pixels, which are not multip'),
])
def test_bad_input_is_refused(method, build, inputs, message):
    with pytest.raises(ValueError, match=message):
        build(method[0])(inputs, mode='loss')


@pytest.mark.parametrize('backbone', [
    dict(out_indices=(2, 3)),
    dict(base_channels=16),
])
def test_maps_that_the_neck_does_not_take_are_refused(method, build, backbone):
    method[0]['backbone'].update(backbone)
    with pytest.raises(
            ValueError,
            match=r'set in_channels of the neck($|, and one stage)'):
        build(method[0])(views(4), mode='loss')


def pooled(maps):
    """As by ConvNeXt."""
    return (maps.mean((2, 3)), )


@pytest.mark.parametrize(
    'output',
    [
        pooled,
        lambda maps: ([maps, maps.mean((2, 3))], ),  # with a class token
        lambda maps: (maps.flatten(2).transpose(1, 2), ),  # tokens
    ])
def test_outputs_that_are_no_maps_are_refused(method, build, output):
    model = build(method[0])
    forward = model.backbone.forward
    model.backbone.forward = lambda image: output(forward(image)[-1])
    if output is not pooled and model.neck.takes_tokens:
        assert model(views(4), mode='loss')['loss_region'].isfinite()
        return
    with pytest.raises(
            ValueError,
            match='ResNet_CIFAR has no option to return one, use '
            'an architecture that does, such as ResNet, '):
        model(views(4), mode='loss')


# Settings that make it return a map, under MMSelfSup and under MMPretrain
TAKEN = dict(
    ConvNeXt=['gap_before_final_norm'] * 2,
    DeiT3=['output_cls_token', 'out_type'],
    DistilledVisionTransformer=['output_cls_token avg_token', 'out_type'],
    EfficientFormer=['reshape_last_feat'] * 2,
    RevVisionTransformer=['output_cls_token avg_token', 'out_type'],
    T2T_ViT=['output_cls_token', 'out_type'],
    VisionTransformer=['output_cls_token avg_token', 'out_type'],
    **dict.fromkeys(('Conformer', 'HRNet', 'InceptionV3', 'MixMIMTransformer',
                     'MlpMixer', 'ResNet', 'TNT'), ['', '']))


@pytest.mark.parametrize('name', TAKEN)
def test_advice_names_only_settings_of_the_backbone(name):
    names = TAKEN[name][host.NAME == 'mmpretrain'].split()
    cfg = with_settings(dict(type=name), MAP_SETTINGS)
    assert {*cfg} == {'type', *names}
    none = f'{name} has no option to return one, use an ' \
        'architecture that does, such as ResNet, ConvNeXt, SwinTransformer ' \
        'or VisionTransformer'
    assert map_advice(cfg, MAP_SETTINGS) == none
    for setting in names:
        assert map_advice({**cfg, setting: 'other'}, MAP_SETTINGS) == \
            f'set backbone.{setting}={MAP_SETTINGS[setting]!r}'


def test_advice_for_networks_of_timm():
    cfg = dict(type='TIMMBackbone', model_name='vit_tiny_patch16_224')
    assert map_advice(cfg, MAP_SETTINGS) == \
        'set backbone.features_only=True and backbone.out_indices=(-1,)'


MIXER = dict(
    type='MlpMixer',
    arch=dict(
        embed_dims=8, num_layers=1, tokens_mlp_dims=8, channels_mlp_dims=8),
    img_size=32)
HRNET = dict(
    type='HRNet',
    extra={
        f'stage{count}':
        dict(
            num_modules=1,
            num_branches=count,
            block='BASIC',
            num_blocks=[1] * count,
            num_channels=[2] * count)
        for count in (1, 2, 3, 4)
    })


@pytest.mark.parametrize('name, backbone, message', [
    ('RegionCLMoCo', MIXER, 'MlpMixer has no option'),
    ('RegionCLMoCoV3', MIXER, 'MlpMixer has no option'),
    ('RegionCLMoCo', HRNET,
     'neck, and multiscale_output=False of the backbone$'),
])
def test_what_these_return_is_no_map(name, backbone, message, build):
    MessageHub.get_current_instance().update_info('max_iters', 100)
    model = build(dict(method_cfgs(name)[0], backbone=backbone))
    with pytest.raises(ValueError, match=message):
        model(views(2), mode='loss')


def test_stride_of_another_backbone_is_refused(method, build):
    cfg = dict(method[0])
    cfg['region_swap'] = dict(cfg['region_swap'], stride=4)
    with pytest.raises(ValueError, match='set its stride=8'):
        build(cfg)(views(4), mode='loss')


@pytest.mark.parametrize('method', ['RegionCLSimSiam'], indirect=True)
@pytest.mark.parametrize('share, least', [(None, 4), (0.5, 6)])
def test_batch_too_small_for_batch_norm_is_refused(method, build, share,
                                                   least):
    with pytest.raises(
            ValueError,
            match=f'needs {least} images in a batch, but got {least - 1}'):
        build(dict(method[0], region_share=share))(
            views(least - 1), mode='loss')


@pytest.mark.parametrize('count, share, mixed', [
    (64, 0.5, 32),
    (65, 0.5, 32),
    (64, 0.01, 2),
    (64, 0.99, 62),
    (4, 0.9, 2),
    (5, 0.9, 2),
])
def test_share_of_composites_is_of_pairs_and_leaves_two(
        model_cfg, build, count, share, mixed):
    model = build(dict(model_cfg, region_share=share))
    assert model.split(count) == (slice(mixed), slice(mixed, None))


def test_shares_that_are_none_are_refused(method, build):
    for share in (0, 1, True, '0.5', float('nan')):
        with pytest.raises(ValueError, match='has to be above 0 and below 1'):
            build(dict(method[0], region_share=share))
    if 'queue_len' not in method[0]:
        with pytest.raises(
                ValueError, match='exclude each other, since a com'):
            build(dict(method[0], region_share=0.5, symmetric=True))


def test_parts_of_the_parent_become_ours(method, build):
    """One line switches a config: neck and head may be the parent's."""
    ours, parent = method
    switched = dict(
        deepcopy(parent), type=ours['type'], region_swap=ours['region_swap'])
    named, turned = build(ours), build(switched)
    assert type(turned.neck) is type(named.neck)
    assert type(turned.head) is type(named.head)
    assert str(turned) == str(named)
    for part in ('neck', 'head'):  # with a scope, and as a class
        cfg = deepcopy(switched)
        cfg[part]['type'] = f'{host.NAME}.{cfg[part]["type"]}'
        assert str(build(cfg)) == str(named)
        cfg[part]['type'] = MODELS.get(cfg[part]['type'])
        if 'loss' in cfg[part]:  # in pure Python configs, all are classes
            cfg[part]['loss']['type'] = HOST_MODELS.get(
                cfg[part]['loss']['type'])
        assert str(build(cfg)) == str(named)


def test_switched_parts_keep_the_defaults_of_the_parent(method, build):
    ours, parent = deepcopy(method)
    parent['head'].pop('temperature', None)
    switched = dict(parent, type=ours['type'])
    old, new = (build(cfg).head for cfg in (parent, switched))
    assert getattr(new, 'temperature', None) == \
        getattr(old, 'temperature', None)


@pytest.mark.parametrize('part', ['neck', 'head'])
def test_other_parts_of_the_same_name_stay(method, part, monkeypatch):
    """A user's class may replace the parent's in its registry."""
    ours, parent = deepcopy(method)
    name = parent[part]['type']
    monkeypatch.setitem(HOST_MODELS.module_dict, name,
                        type(name, (HOST_MODELS.get(name), ), {}))
    with pytest.raises(TypeError, match=f'not {name}: set {part}.type to'):
        MODELS.build(dict(parent, type=ours['type']))


def test_settings_of_regions_need_no_type(method, build):
    cfg = dict(method[0], region_swap=dict(size=(1, 2), stride=8))
    assert str(build(cfg).region_swap) == 'RegionSwap(size=(1, 2), stride=8)'


def test_regions_need_no_numbers(method, build):
    """Grid, stride and size follow from the map of the whole view."""
    cfg = dict(method[0])
    exact, free = build(cfg), build({
        **cfg, 'region_swap':
        dict(type='mmregioncl.RegionSwap')
    })
    free.load_state_dict(exact.state_dict())
    inputs = views()
    losses = []
    for model in (exact, free):
        torch.manual_seed(1)
        losses.append(model(inputs, mode='loss'))
    assert losses[0] == losses[1]


@pytest.mark.parametrize('part', ['neck', 'head'])
def test_other_parts_are_refused(method, part):
    contrastive = 'temperature' in method[1]['head']
    others = dict(
        neck=dict(type='LinearNeck', in_channels=64, out_channels=8),
        head=dict(LATENT_HEAD, type='LatentPredictHead') if contrastive else
        dict(type='ContrastiveHead', loss=dict(type=CROSS_ENTROPY)))
    with pytest.raises(
            TypeError, match=f'set {part}.type to mmregioncl.Regio'):
        MODELS.build(dict(method[0], **{part: others[part]}))


@pytest.mark.parametrize('part', ['neck', 'head'])
def test_missing_neck_or_head_is_refused(method, part):
    with pytest.raises(
            TypeError,
            match=f'^{part}=None of RegionCL.*set model.{part}=dic'):
        MODELS.get(method[0].pop('type'))(**{**method[0], part: None})


@pytest.mark.parametrize('region', [(0, 0, 4, 4), (0, 0, 0, 2), (3, 0, 2, 2)])
def test_region_without_canvas_or_cells_is_refused(build, method, region):
    """Of any callable instead of RegionSwap; means of no cells are NaN."""
    model = build(method[0])
    model.region_swap = lambda views: (views, Region(*region))
    with pytest.raises(
            ValueError, match=r'region_swap drew .x. cells .* a 4x4 grid'):
        model(torch.rand(2, 4, 3, 32, 32).unbind(), mode='loss')


@pytest.mark.parametrize('weight', [-1, float('nan'), float('inf'), '1'])
def test_weight_that_would_repel_is_refused(method, weight):
    with pytest.raises(ValueError, match='0 or a positive number'):
        MODELS.build(dict(method[0], region_weight=weight))


@pytest.mark.parametrize('part', [None, 'neck', 'head', 'region_swap'])
def test_unknown_arguments_are_refused(method, part):
    cfg = deepcopy(method[0])
    (cfg[part] if part else cfg)['cutmix_alpha'] = 1
    with pytest.raises(TypeError, match="argument 'cutmix_alpha'"):
        MODELS.build(cfg)


@pytest.mark.parametrize('method', ['RegionCLDenseCL'], indirect=True)
def test_dense_grid_that_does_not_match_is_refused(method, build):
    method[0]['neck']['num_grid'] = 3
    with pytest.raises(
            ValueError, match='9 cells, but the feature map has 16'):
        build(method[0])(views(2), mode='loss')
