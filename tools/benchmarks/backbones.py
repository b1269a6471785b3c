"""What each backbone can do: ``backbones.py docs/backbones.md``.

Each is pre-trained for a step of RegionCL-M, extracted, loaded into a detector
and a segmenter that are trained for a step, and converted to timm and
torchvision, whose last map has to be the same. What fails shows its error. The
table is printed, and replaces that of the page below its mark.
"""
import argparse
import re
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import timm
import torch
from mmdet.structures import DetDataSample
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn
from torchvision import models

from mmregioncl import host
from mmregioncl.files import atomic_write
from mmregioncl.models.utils import feature_map
from mmregioncl.transfer import load_backbone, to_layout

Build = Callable[[], nn.Module]


class Row(NamedTuple):
    """A backbone and its counterparts.

    Args:
        cfg (dict): For the host, without its scope.
        channels (int): Of its last map.
        size (int): Pixels of an image's side.
        levels (dict): Settings with which it returns several maps.
        new (str): Weights of other backbones that are not pre-trained.
        mmdet, mmseg (dict, optional): The package's own backbone. Defaults to
            None: it uses the host's.
        timm, torchvision (callable, optional): Builds the counterpart.
    """
    cfg: dict
    channels: int
    size: int = 64
    levels: dict = dict(out_indices=(0, 1, 2, 3))
    new: str = r'(?!)'
    mmdet: Optional[dict] = None
    mmseg: Optional[dict] = None
    timm: Optional[Build] = None
    torchvision: Optional[Build] = None


def of_timm(name: str, **kwargs) -> Build:
    """What builds a network of timm."""
    return lambda: timm.create_model(name, num_classes=0, **kwargs)


MARK = '<!-- Printed by tools/benchmarks/backbones.py -->\n'
COLUMNS = ('pre-train', 'MMDetection', 'MMSegmentation', 'timm', 'torchvision')
VIT = dict(embed_dims=192, num_layers=12, num_heads=3)
VIT_MAP = dict(output_cls_token=False) if host.NAME == 'mmselfsup' else \
    dict(out_type='featmap')
VIT_TIMM = dict(
    type='TIMMBackbone', model_name='vit_tiny_patch16_224', img_size=64)
STAGE_NORMS = r'norm[012]\.'  # of the maps that pre-training does not use
ROWS = {
    'ResNet':
    Row(dict(type='ResNet', depth=50, out_indices=(3, )),
        2048,
        mmdet=dict(type='mmdet.ResNet', depth=50),
        mmseg=dict(type='mmseg.ResNet', depth=50),
        timm=of_timm('resnet50'),
        torchvision=models.resnet50),
    'ResNetV1c':
    Row(dict(type='ResNetV1c', depth=18, out_indices=(3, )),
        512,
        mmdet=dict(type='mmdet.ResNet', depth=18, deep_stem=True),
        mmseg=dict(type='mmseg.ResNetV1c', depth=18),
        timm=of_timm('resnet18', stem_type='deep', stem_width=32)),
    'ResNetV1d':
    Row(dict(type='ResNetV1d', depth=18, out_indices=(3, )),
        512,
        mmdet=dict(type='mmdet.ResNetV1d', depth=18),
        mmseg=dict(type='mmseg.ResNetV1d', depth=18),
        timm=of_timm('resnet18d')),
    'ResNeXt':
    Row(dict(
        type='ResNeXt',
        depth=50,
        groups=32,
        width_per_group=4,
        out_indices=(3, )),
        2048,
        mmdet=dict(type='mmdet.ResNeXt', depth=50, groups=32, base_width=4),
        mmseg=dict(type='mmseg.ResNeXt', depth=50, groups=32, base_width=4),
        timm=of_timm('resnext50_32x4d'),
        torchvision=models.resnext50_32x4d),
    'RegNet':
    Row(dict(type='RegNet', arch='regnetx_800mf', out_indices=(3, )),
        672,
        mmdet=dict(type='mmdet.RegNet', arch='regnetx_800mf'),
        timm=of_timm('regnetx_008'),
        torchvision=models.regnet_x_800mf),
    'MobileNetV2':
    Row(dict(type='MobileNetV2'),
        1280,
        levels=dict(out_indices=(1, 2, 4, 6)),
        mmdet=dict(type='mmdet.MobileNetV2'),
        mmseg=dict(type='mmseg.MobileNetV2'),
        timm=of_timm('mobilenetv2_100'),
        torchvision=models.mobilenet_v2),
    'MobileNetV3':
    Row(dict(type='MobileNetV3', arch='small'),
        576,
        levels=dict(out_indices=(0, 1, 3, 8)),
        mmseg=dict(type='mmseg.MobileNetV3', arch='small'),
        timm=of_timm('mobilenetv3_small_100', bn_eps=1e-3),
        torchvision=models.mobilenet_v3_small),
    'ConvNeXt':
    Row(dict(type='ConvNeXt', arch='tiny'),
        768,
        levels=dict(out_indices=(0, 1, 2, 3), gap_before_final_norm=False),
        new=STAGE_NORMS,
        timm=of_timm('convnext_tiny'),
        torchvision=models.convnext_tiny),
    'Swin':
    Row(dict(type='SwinTransformer', arch='tiny', img_size=64, window_size=2),
        768,
        new=STAGE_NORMS,
        mmdet=dict(type='mmdet.SwinTransformer', window_size=2),
        mmseg=dict(type='mmseg.SwinTransformer', window_size=2),
        timm=of_timm(
            'swin_tiny_patch4_window7_224', img_size=64, window_size=2),
        torchvision=lambda: models.SwinTransformer((4, 4), 96, (2, 2, 6, 2),
                                                   (3, 6, 12, 24), (2, 2))),
    'ViT':
    Row(dict(
        type='VisionTransformer',
        arch=dict(VIT, feedforward_channels=768),
        img_size=64),
        192,
        levels=dict(out_indices=(2, 5, 8, 11), **VIT_MAP),
        mmseg=dict(
            type='mmseg.VisionTransformer',
            img_size=64,
            out_indices=(2, 5, 8, 11),
            patch_bias=True,
            final_norm=True,
            **VIT),
        timm=of_timm('vit_tiny_patch16_224', img_size=64),
        torchvision=lambda: models.VisionTransformer(64, 16, 12, 3, 192, 768)),
    'DeiT, distilled':
    Row(dict(
        type='DistilledVisionTransformer',
        arch=dict(VIT, feedforward_channels=768),
        img_size=64),
        192,
        levels=dict(out_indices=(2, 5, 8, 11), **VIT_MAP),
        timm=of_timm('deit_tiny_distilled_patch16_224', img_size=64)),
    'ResNet of timm':
    Row(dict(type='TIMMBackbone', model_name='resnet18'),
        512,
        levels=dict(features_only=True, out_indices=(1, 2, 3, 4)),
        timm=of_timm('resnet18'),
        torchvision=models.resnet18),
    'ConvNeXt of timm':
    Row(dict(
        type='TIMMBackbone',
        model_name='convnext_atto',
        features_only=True,
        out_indices=(-1, )),
        320,
        timm=of_timm('convnext_atto')),
    'ViT of timm':
    Row(dict(VIT_TIMM, features_only=True, out_indices=(-1, )),
        192,
        levels=dict(out_indices=(2, 5, 8, 11)),
        timm=of_timm('vit_tiny_patch16_224', img_size=64)),
    'ViT of timm, by default':
    Row(VIT_TIMM, 192),
    'Swin of timm':
    Row(dict(type='TIMMBackbone', model_name='swin_tiny_patch4_window7_224'),
        768,
        size=224),
}

# The last map of a network of torchvision, and of timm, by its class
LAST_MAPS: Dict[str, Callable[[nn.Module, Tensor], Tensor]] = dict(
    ResNet=lambda net, x: nn.Sequential(*list(net.children())[:-2])(x),
    RegNet=lambda net, x: net.trunk_output(net.stem(x)),
    MobileNetV2=lambda net, x: net.features(x),
    MobileNetV3=lambda net, x: net.features(x),
    ConvNeXt=lambda net, x: net.classifier[0](net.features(x)),
    SwinTransformer=lambda net, x: net.norm(net.features(x)).movedim(3, 1),
    VisionTransformer=lambda net, x: net.encoder(
        torch.cat((net.class_token.expand(len(x), -1, -1), net._process_input(
            x)), 1)),
)
TIMM_MAPS: Dict[str, Callable[[nn.Module, Tensor], Tensor]] = dict(
    SwinTransformer=lambda net, x: net.forward_features(x).movedim(3, 1),
    ConvNeXt=lambda net, x: net.head.norm(net.forward_features(x)),
    VisionTransformerDistilled=lambda net, x: net.forward_features(x)[:, 2:],
    features_only=lambda net, x: net.forward_intermediates(
        x, indices=[-1], intermediates_only=True)[0],
)


def images(row: Row) -> Tensor:
    return torch.randn(2, 3, row.size, row.size)


def step(model: nn.Module, losses: dict) -> None:
    """A step of SGD; the sum of all losses has to be finite."""
    total = model.parse_losses(losses)[0]
    if not total.isfinite():
        raise AssertionError(f'the loss is {total.item()}')
    total.backward()
    torch.optim.SGD(model.parameters(), 0.01).step()


def pretrain(row: Row) -> nn.Module:
    """RegionCL-M after a step."""
    model = MODELS.build(
        dict(
            type='mmregioncl.RegionCLMoCo',
            queue_len=8,
            feat_dim=8,
            backbone=dict(row.cfg, type=host.qualified(row.cfg['type'])),
            neck=dict(
                type='MoCoV2Neck',
                in_channels=row.channels,
                hid_channels=8,
                out_channels=8),
            head=dict(type='ContrastiveHead')))
    step(model, model([images(row), images(row)], mode='loss'))
    return model


def fine_tuned(row: Row, own: Optional[dict]) -> dict:
    """Config of the backbone of a detector or segmenter."""
    return deepcopy(
        own
        or dict(row.cfg, type=host.qualified(row.cfg['type']), **row.levels))


def channels_of(backbone: dict, row: Row) -> list:
    """Channels of the maps that a backbone returns."""
    network = MODELS.build(backbone)
    network.eval()
    with torch.no_grad():
        return [
            feature_map(output).shape[1] for output in network(images(row))
        ]


def detect(row: Row, model: nn.Module) -> str:
    """Train a detector for a step; whose backbone it has."""
    backbone = fine_tuned(row, row.mmdet)
    strides = [4, 8, 16, 32]
    detector = MODELS.build(
        dict(
            type='mmdet.FCOS',
            _scope_='mmdet',
            backbone=backbone,
            neck=dict(
                type='mmdet.ChannelMapper',
                in_channels=channels_of(backbone, row),
                out_channels=8,
                num_outs=4),
            bbox_head=dict(
                type='mmdet.FCOSHead',
                num_classes=2,
                in_channels=8,
                feat_channels=8,
                stacked_convs=1,
                norm_cfg=None,
                strides=strides,
                regress_ranges=[(0, 4 * stride) for stride in strides])))
    load_backbone(detector, model.backbone.state_dict(), new=row.new)
    sample = DetDataSample(metainfo=dict(img_shape=(row.size, row.size)))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[8., 8., 40., 48.]]), labels=torch.tensor([1]))
    step(detector, detector.loss(images(row), [sample, deepcopy(sample)]))
    return f"`{row.mmdet['type']}`" if row.mmdet else "the host's"


def segment(row: Row, model: nn.Module) -> str:
    """Train a segmenter for a step; whose backbone it has."""
    backbone = fine_tuned(row, row.mmseg)
    segmenter = MODELS.build(
        dict(
            type='mmseg.EncoderDecoder',
            _scope_='mmseg',
            backbone=backbone,
            decode_head=dict(
                type='mmseg.FCNHead',
                in_channels=channels_of(backbone, row)[-1],
                channels=8,
                num_convs=1,
                num_classes=2)))
    load_backbone(segmenter, model.backbone.state_dict(), new=row.new)
    sample = SegDataSample(metainfo=dict(img_shape=(row.size, row.size)))
    sample.gt_sem_seg = PixelData(
        data=torch.randint(0, 2, (1, row.size, row.size)))
    step(segmenter, segmenter.loss(images(row), [sample, deepcopy(sample)]))
    return f"`{row.mmseg['type']}`" if row.mmseg else "the host's"


@torch.no_grad()
def convert(row: Row, model: nn.Module, package: str) -> str:
    """Compare the last map of the converted network with ours."""
    weights = to_layout(model.backbone.state_dict(), package)
    network = getattr(row, package)()
    found = network.load_state_dict(weights, strict=False)
    # The last norm of a vision transformer is not a feature in timm.
    spare = r'fc|heads?|classifier|conv_head'
    spare += '|norm' * ('features_only' in row.cfg)
    assert not found.unexpected_keys, found
    assert all(re.match(spare, name) for name in found.missing_keys), found
    model.backbone.eval()
    network.eval()
    kind, batch = type(network).__name__, images(row)
    if package == 'torchvision':
        last_map = LAST_MAPS[kind]
    else:
        kind = 'features_only' if 'features_only' in row.cfg else kind
        last_map = TIMM_MAPS.get(kind, lambda net, x: net.forward_features(x))
    torch.testing.assert_close(
        feature_map(last_map(network, batch)),
        feature_map(model.backbone(batch)),
        rtol=1e-4,
        atol=1e-4)
    return 'yes'


def check(row: Row) -> List[str]:
    """What a backbone can do, by column; the sentence where it is refused."""
    try:
        model = pretrain(row)
    except ValueError as error:
        return [str(error)]
    cells = ['yes', detect(row, model), segment(row, model)]
    for package in ('timm', 'torchvision'):
        try:
            cells.append(convert(row, model, package))
        except ValueError as error:
            cells.append(str(error))
    return cells


def lines_of(name: str, cells: List[str]) -> Tuple[str, List[str]]:
    """Row of the table, and a line for each sentence in it."""
    short, lines = [], []
    for column, cell in zip(COLUMNS, cells):
        refused = ' ' in cell and cell != "the host's"
        short.append('no' if refused else cell)
        if refused:
            lines.append(f'- {name}, {column}: {cell}.\n')
    short += ['-'] * (len(COLUMNS) - len(short))
    return f'| {name} | {" | ".join(short)} |\n', lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('page', nargs='?', help='Markdown file to renew')
    page = parser.parse_args().page
    warnings.filterwarnings('ignore')
    init_default_scope('mmregioncl')
    torch.manual_seed(0)
    table = f'| backbone | {" | ".join(COLUMNS)} |\n'
    table += '|---' * (len(COLUMNS) + 1) + '|\n'
    sentences: List[str] = []
    for name, row in ROWS.items():
        line, refused = lines_of(name, check(row))
        table += line
        sentences += refused
    table += '\n' + ''.join(sentences)
    print(table, end='')
    if page:
        text = Path(page).read_text().partition(MARK)[0]
        with atomic_write(page) as part:
            part.write_text(text + MARK + '\n' + table)


if __name__ == '__main__':
    main()
