# Baseline of regioncl-s_resnet18_1xb256-coslr-200e_in100.py. Learning rate and
# weight decay are those of SimSiam and of lightly's ImageNet-100 benchmark.
_base_ = [
    '../_base_/models/simsiam.py',
    '../_base_/datasets/imagenet100_mocov2.py',
    '../_base_/schedules/simsiam_coslr-200e_in1k.py',
    '../_base_/labelled_runtime.py',
]

model = dict(
    backbone=dict(depth=18, norm_cfg=dict(type='BN')),
    neck=dict(in_channels=512, norm_cfg=dict(type='BN1d')),
    head=dict(predictor=dict(norm_cfg=dict(type='BN1d'))))
