"""RegionCL on MoCo v3 with a vision transformer.

The losses are checked against a reference in test_region_methods.py, on a
ResNet; here is what a transformer has that a ResNet has not.
"""
from copy import deepcopy

import pytest
import torch
from mmengine.logging import MessageHub

from mmregioncl import host
from mmregioncl.models.utils import Region
from toy import CROSS_ENTROPY, PARENTS

VIT = dict(
    type=f'{host.NAME}.MoCoV3ViT',
    arch=dict(
        embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=64),
    img_size=32,
    patch_size=8,
    stop_grad_conv1=True)
DEIT = {k: v for k, v in VIT.items() if k != 'stop_grad_conv1'}
DEIT['type'] = host.qualified('DistilledVisionTransformer')


@pytest.fixture
def cfgs() -> tuple:
    """Configs of RegionCLMoCoV3 and of its parent."""
    MessageHub.get_current_instance().update_info('max_iters', 100)
    parent = deepcopy(PARENTS['RegionCLMoCoV3'])
    parent['head']['type'] = 'MoCoV3Head'
    parent['backbone'] = deepcopy(VIT)
    parent['neck'].update(
        type='NonLinearNeck', in_channels=32, with_avg_pool=False)
    if host.NAME == 'mmselfsup':
        parent['neck']['vit_backbone'] = True
    return dict(parent, type='mmregioncl.RegionCLMoCoV3'), parent


def views(size=(32, 32)) -> list:
    return [torch.randn(4, 3, *size) for _ in range(2)]


@pytest.fixture
def tokens_of():
    """All tokens of images by the layers of a backbone.

    The class token, that of distillation if there is one, and the patches.
    """

    def run(vit, images):
        patches, _ = vit.patch_embed(images)
        names = [n for n in ('cls_token', 'dist_token') if hasattr(vit, n)]
        extra = [getattr(vit, n).expand(len(images), -1, -1) for n in names]
        x = torch.cat((*extra, patches), 1)
        for layer in vit.layers:
            x = layer(x + vit.pos_embed if layer is vit.layers[0] else x)
        return vit.norm1(x)

    return run


def test_weight_zero_is_the_parent(cfgs, build):
    ours = build(dict(cfgs[0], region_weight=0.)).double()
    theirs = build(cfgs[1]).double()
    theirs.load_state_dict(ours.state_dict())  # strict: the same names
    frozen = theirs.backbone.patch_embed.projection
    assert not any(p.requires_grad for p in frozen.parameters())
    optims = [
        torch.optim.SGD([p for p in m.parameters() if p.requires_grad], 0.05)
        for m in (ours, theirs)
    ]
    for _ in range(3):
        inputs = [view.double() for view in views()]
        totals = []
        for model, optim in zip((ours, theirs), optims):
            optim.zero_grad()
            total = sum(model.loss(inputs, []).values())
            total.backward()
            optim.step()
            totals.append(total.item())
        assert totals[0] == pytest.approx(totals[1], abs=1e-9)
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters()):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize('backbone', [VIT, DEIT])
def test_regions_are_means_of_patch_tokens(cfgs, build, tokens_of, backbone):
    model = build(dict(cfgs[0], backbone=backbone)).double()
    model.region_swap = lambda images: (images, Region(1, 0, 2, 3))
    images = views()[0].double()
    canvas, paste = model.project_regions(images, (4, 4))

    tokens = tokens_of(model.backbone, images)[:, -16:]  # (N, 16, C)
    inside = [row * 4 + col for row in (1, 2) for col in (0, 1, 2)]
    outside = [cell for cell in range(16) if cell not in inside]
    pooled = torch.cat(
        (sum(tokens[:, cell] for cell in outside) / 10,
         torch.stack([
             sum(tokens[3 - i, cell] for cell in inside) / 6 for i in range(4)
         ])))
    wanted = pooled
    for name in ('fc0', 'bn0', 'relu', 'fc1', 'bn1'):
        wanted = getattr(model.neck, name)(wanted)
    torch.testing.assert_close(torch.cat((canvas, paste)), wanted)


@pytest.mark.parametrize('backbone', [VIT, DEIT])
@pytest.mark.parametrize('size', [(32, 32), (16, 32)])
def test_whole_views_are_class_tokens(cfgs, build, tokens_of, backbone, size):
    """Of 2x4 patches, too: nine tokens, which might be a square."""
    cfgs[0]['backbone'] = dict(backbone, img_size=size)
    model = build(cfgs[0]).eval()
    images = views(size)[0]
    token = tokens_of(model.backbone, images)[:, :1]  # (N, 1, C)
    alone = model.neck([token.transpose(1, 2)[..., None]])[0]
    torch.testing.assert_close(model.neck(model.backbone(images))[0], alone)
    torch.testing.assert_close(model.average(images)[0], alone)


def test_targets_are_the_average_of_the_other_view(cfgs, build):
    model = build(cfgs[0])
    with torch.no_grad():
        for weight in model.average.parameters():
            weight.add_(torch.randn_like(weight))
    model.average.steps += 1  # it has begun: no copy of the encoder
    model.average.momentum = model.average.end_momentum = host.kept(1.)
    inputs = views()
    wanted = [model.average(view)[0] for view in inputs]
    given = []
    for name in ('loss_instance', 'loss_region'):
        loss = getattr(model.head, name)
        setattr(
            model.head,
            name,
            lambda *args, loss=loss: (given.append(args[-1]), loss(*args))[1])
    model.loss(inputs)
    for target, view in zip(given, (1, 0, 1, 0), strict=True):
        torch.testing.assert_close(target, wanted[view])


@pytest.mark.parametrize('size', [(32, 32), (64, 8), (8, 64)])
def test_distillation_token_learns_in_the_attention_alone(cfgs, build, size):
    """A batch of two, also of views whose tokens might be another grid."""
    cfgs[0]['backbone'] = dict(DEIT, img_size=size)
    model = build(cfgs[0])
    inputs = [view[:2] for view in views(size)]
    losses = model.loss(inputs, [])
    assert all(loss.shape == () and loss.isfinite()
               for loss in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters()
               if p.requires_grad)
    maps, token = model.backbone(inputs[0])[-1]
    assert maps.shape == (2, 32, size[0] // 8, size[1] // 8)
    assert token.shape == (2, 32)


@pytest.mark.parametrize('setting', [
    dict(out_type='cls_token') if host.NAME == 'mmpretrain' else dict(
        avg_token=True, output_cls_token=False)
])
def test_backbones_without_patches_are_refused(cfgs, build, setting):
    cfgs[0]['backbone'].update(setting)
    with pytest.raises(ValueError, match='MoCoV3ViT returns something else: '):
        build(cfgs[0]).loss(views())


def test_several_stages_are_refused(cfgs, build):
    cfgs[0]['backbone'].update(out_indices=[0, 1])
    with pytest.raises(ValueError, match='and one stage in out_indices'):
        build(cfgs[0]).loss(views())


def test_oblong_views(cfgs, build):
    """Two rows of four patches and the class token are nine tokens."""
    cfgs[0]['backbone'].update(img_size=(16, 32))
    model = build(cfgs[0])
    swap, grids = model.region_swap, []
    fit = swap.fit
    swap.fit = lambda grid, size: grids.append(grid) or fit(grid, size)
    losses = model.loss(views((16, 32)))
    assert grids == [(2, 4)] * 2
    assert all(loss.isfinite() for loss in losses.values())


def test_mean_of_patches_without_class_token(cfgs, build):
    if host.NAME == 'mmselfsup':
        cfgs[0]['backbone']['output_cls_token'] = False
        cfgs[0]['neck']['vit_backbone'] = False
    else:
        cfgs[0]['backbone'].update(out_type='featmap')
    model = build(cfgs[0]).eval()
    images = views()[0]
    maps = model.backbone(images)[-1]
    torch.testing.assert_close(
        model.neck([maps]), model.neck([maps.mean((2, 3), keepdim=True)]))


def test_other_losses_are_refused(cfgs, build):
    cfgs[0]['head']['loss']['reduction'] = 'sum'
    with pytest.raises(ValueError, match='a plain mean cross entropy'):
        build(cfgs[0])
    cfgs[0]['head'].update(loss=dict(type=CROSS_ENTROPY), temperature=0)
    with pytest.raises(ValueError, match='temperature=0 of RegionMoCoV3Head'):
        build(cfgs[0])
