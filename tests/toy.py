"""Configs of all methods and their parents at toy size."""
from copy import deepcopy
from pathlib import Path

from mmengine.registry import MODELS

from mmregioncl import host
from mmregioncl.registry import MODELS as OURS

# ResNets of one block a stage, which no host has
for parent in map(MODELS.get,
                  ('mmregioncl.ResNet', 'mmregioncl.ResNet_CIFAR')):
    block, _ = parent.arch_settings[18]
    OURS.register_module(
        module=type(f'Toy{parent.__name__}', (
            parent, ), dict(arch_settings={10: (block, (1, 1, 1, 1))})))

# A config of the package, for tests of how configs are read
CONFIG = (
    Path(__file__).parents[1] / 'configs/regioncl' /
    'regioncl-m_resnet18_1xb512-coslr-200e_cifar10.py')

CROSS_ENTROPY = host.qualified('CrossEntropyLoss')

# RegionCL-M at toy size: ResNet-10 of an eighth of the width, 4x4 cells.
MODEL = dict(
    type='mmregioncl.RegionCLMoCo',
    queue_len=32,
    feat_dim=8,
    momentum=host.kept(0.9),
    data_preprocessor=dict(
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        bgr_to_rgb=True),
    backbone=dict(
        type='mmregioncl.ToyResNet_CIFAR',
        depth=10,
        stem_channels=8,
        base_channels=8),
    neck=dict(
        type='mmregioncl.RegionMoCoV2Neck',
        in_channels=64,
        hid_channels=16,
        out_channels=8),
    head=dict(type='mmregioncl.RegionContrastiveHead', temperature=0.2),
    region_swap=dict(type='mmregioncl.RegionSwap', size=(2, 3), stride=8))

REGION_SWAP = MODEL['region_swap']
DENSE = dict(
    queue_len=32,
    feat_dim=8,
    momentum=host.kept(0.9),
    neck=dict(in_channels=64, hid_channels=16, out_channels=8))
LATENT_HEAD = dict(
    loss=dict(type='CosineSimilarityLoss'),
    predictor=dict(
        type='NonLinearNeck',
        in_channels=16,
        hid_channels=8,
        out_channels=16,
        with_avg_pool=False,
        with_last_bn=False,
        with_last_bias=True,
        norm_cfg=dict(type='BN1d')))
NON_LINEAR = dict(
    in_channels=64,
    hid_channels=16,
    out_channels=16,
    norm_cfg=dict(type='BN1d'))

# The parents and what they share with our classes, by our names
PARENTS = dict(
    RegionCLMoCo=dict(
        type='MoCo',
        **DENSE,
        head=dict(
            type='ContrastiveHead',
            loss=dict(type=CROSS_ENTROPY),
            temperature=0.2)),
    RegionCLDenseCL=dict(
        type='DenseCL',
        **DENSE,
        head=dict(
            type='ContrastiveHead',
            loss=dict(type=CROSS_ENTROPY),
            temperature=0.2)),
    RegionCLSimSiam=dict(
        type='SimSiam',
        neck=dict(NON_LINEAR, num_layers=3, with_last_bn_affine=False),
        head=LATENT_HEAD),
    RegionCLBYOL=dict(
        type='BYOL',
        base_momentum=host.kept(0.9),
        neck=dict(NON_LINEAR, with_bias=True, with_last_bn=False),
        head=LATENT_HEAD),
    RegionCLMoCoV3=dict(
        type='MoCoV3',
        base_momentum=host.kept(0.9),
        neck=dict(NON_LINEAR, with_last_bn_affine=False),
        head=dict(
            LATENT_HEAD,
            loss=dict(type=CROSS_ENTROPY, loss_weight=0.4),
            temperature=0.2)),
    RegionCLSimCLR=dict(
        type='SimCLR',
        neck=NON_LINEAR,
        head=dict(
            type='ContrastiveHead',
            loss=dict(type=CROSS_ENTROPY),
            temperature=0.2)))
# The parent's neck, and our neck and head
PARTS = dict(
    RegionCLMoCo=('MoCoV2Neck', 'RegionMoCoV2Neck', 'RegionContrastiveHead'),
    RegionCLDenseCL=('DenseCLNeck', 'RegionDenseCLNeck',
                     'RegionContrastiveHead'),
    RegionCLSimSiam=('NonLinearNeck', 'RegionNonLinearNeck',
                     'RegionLatentPredictHead'),
    RegionCLBYOL=('NonLinearNeck', 'RegionNonLinearNeck',
                  'RegionLatentPredictHead'),
    RegionCLMoCoV3=('NonLinearNeck', 'RegionMoCoV3Neck', 'RegionMoCoV3Head'),
    RegionCLSimCLR=('NonLinearNeck', 'RegionNonLinearNeck',
                    'RegionNTXentHead'))


def method_cfgs(name: str) -> tuple:
    """Configs of one of our classes and of its parent, at toy size."""
    parent = deepcopy(PARENTS[name])
    neck, region_neck, head = PARTS[name]
    parent['neck'] = dict(parent['neck'], type=neck)
    parent['head'].setdefault('type', head.removeprefix('Region'))
    parent['backbone'] = deepcopy(MODEL['backbone'])
    ours = deepcopy(parent)
    ours.update(type=f'mmregioncl.{name}', region_swap=REGION_SWAP)
    ours['neck'].update(type=f'mmregioncl.{region_neck}')
    ours['head'].update(type=f'mmregioncl.{head}')
    return ours, parent
