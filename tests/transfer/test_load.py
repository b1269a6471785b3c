import pytest
import timm
import torch
import torchvision
from mmengine.registry import MODELS
from torch import nn

from mmregioncl.transfer import load_backbone


def resnet(**settings):
    return MODELS.build(
        dict(
            type='mmregioncl.ResNet',
            depth=18,
            stem_channels=8,
            base_channels=8,
            **settings))


class Detector(nn.Module):
    """Three stages as the backbone, the last one and a norm in the head."""

    def __init__(self) -> None:
        super().__init__()
        whole = resnet()
        self.backbone = nn.Module()
        self.head = nn.Module()
        for name, module in whole.named_children():
            part = self.head if name == 'layer4' else self.backbone
            part.add_module(name, module)
        self.head.norm = nn.BatchNorm2d(64)


C4 = dict(parts=('backbone', 'head'), new=r'norm\.')


@pytest.mark.slow
def test_deep_stem_of_mmdetection():
    """Its convolutions are counted with their norms."""
    cfg = dict(depth=50, scales=4, base_width=26)
    given = MODELS.build(dict(cfg, type='mmregioncl.Res2Net', deep_stem=True))
    model = nn.Module()
    model.backbone = MODELS.build(dict(cfg, type='mmdet.Res2Net'))
    assert load_backbone(model, given.state_dict()) > 300
    assert torch.equal(model.backbone.stem[3].weight,
                       given.stem[1].conv.weight)


def test_every_weight_arrives():
    model, weights = Detector(), resnet().state_dict()
    norm = model.head.norm.weight.clone()
    assert load_backbone(model, weights, **C4) == 100
    for name, value in weights.items():
        part = model.head if name.startswith('layer4') else model.backbone
        if not name.endswith('tracked'):
            assert torch.equal(part.state_dict()[name], value), name
    assert torch.equal(model.head.norm.weight, norm)
    # Old torchvision files and detectron2's have no counters.
    assert load_backbone(
        model, {
            name: value
            for name, value in weights.items() if not name.endswith('tracked')
        }, **C4) == 100


@pytest.mark.parametrize('change, fault', [
    (lambda w: w.pop('conv1.weight'), '1 missing: conv1.weight'),
    (lambda w: w.update(mask=torch.rand(1)), '1 unexpected: mask'),
    (lambda w: w.update({'bn1.bias': torch.rand(3)}),
     r'1 misshapen: bn1.bias of shape \[3\] instead of \[8\]'),
])
def test_what_does_not_fit_is_named_and_nothing_loaded(change, fault):
    model, weights = Detector(), resnet().state_dict()
    before = {n: v.clone() for n, v in model.state_dict().items()}
    change(weights)
    with pytest.raises(
            ValueError, match=rf'backbone and head .*\({fault}\)') as error:
        load_backbone(model, weights, **C4)
    # Weights that pre-training has not are missing; others are not.
    assert ('missing ones in `new` of PretrainedHook'
            in str(error.value)) == ('missing' in fault)
    assert all(
        torch.equal(before[n], v) for n, v in model.state_dict().items())


def test_another_depth_is_refused_with_the_first_names():
    model = nn.Module()
    model.backbone = resnet()
    deeper = MODELS.build(
        dict(
            type='mmregioncl.ResNet',
            depth=50,
            stem_channels=8,
            base_channels=8))
    with pytest.raises(
            ValueError,
            match=r'\(165 unexpected: layer1.0.bn3.bias, [^,]*, '
            r'layer1.0.bn3.running_var and 162 more; .* and 20 more\)'):
        load_backbone(model, deeper.state_dict())


@pytest.mark.parametrize('name', ['convnext', 'vit'])
def test_backbones_of_other_packages_arrive(name):
    """Without the classifier, in which ConvNeXt's last norm is."""
    model = nn.Module()
    if name == 'vit':
        theirs = torchvision.models.VisionTransformer(32, 16, 2, 2, 8, 16)
        arch = dict(
            embed_dims=8, num_layers=2, num_heads=2, feedforward_channels=16)
        model.backbone = MODELS.build(
            dict(type='mmregioncl.VisionTransformer', arch=arch, img_size=32))
        first, ours = theirs.conv_proj, 'patch_embed.projection'
    else:
        block = torchvision.models.convnext.CNBlockConfig
        sizes = 4, 8, 12, 16, None
        theirs = torchvision.models.ConvNeXt(
            [block(*pair, 1) for pair in zip(sizes, sizes[1:])])
        arch = dict(depths=[1] * 4, channels=sizes[:4])
        model.backbone = MODELS.build(
            dict(type='mmregioncl.ConvNeXt', arch=arch))
        first, ours = theirs.classifier[0], 'norm3'
    weights = theirs.state_dict()
    assert load_backbone(model, weights) == len(weights) - 2
    assert torch.equal(model.backbone.get_submodule(ours).weight, first.weight)


def test_mobilenet_of_timm_arrives():
    """Without its head, a convolution and the classifier."""
    theirs = timm.create_model('mobilenetv3_small_050')
    model = nn.Module()
    model.backbone = MODELS.build(
        dict(type='mmregioncl.MobileNetV3', arch='small_050'))
    ours = [
        *filter(lambda name: 'tracked' not in name,
                model.backbone.state_dict())
    ]
    assert load_backbone(model, theirs.state_dict()) == len(ours)
    assert torch.equal(model.backbone.layer4.depthwise_conv.conv.weight,
                       theirs.blocks[2][0].conv_dw.weight)
