# The twin of regioncl-s_resnet18_1xb256-coslr-200e_in100.py
_base_ = [
    'mmselfsup::selfsup/_base_/models/simsiam.py',
    '../_base_/datasets/imagenet100_mocov2.py',
    '../_base_/schedules/simsiam_coslr-200e_small.py',
    '../_base_/simsiam_runtime.py',
]

# lightly's law of CIFAR-10 at the size of a ResNet-18
model = dict(
    backbone=dict(depth=18, norm_cfg=dict(type='BN')),
    neck=dict(in_channels=512, norm_cfg=dict(type='BN1d')),
    head=dict(predictor=dict(norm_cfg=dict(type='BN1d'))))
