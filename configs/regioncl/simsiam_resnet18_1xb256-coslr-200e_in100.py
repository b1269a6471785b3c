# The twin of regioncl-s_resnet18_1xb256-coslr-200e_in100.py
_base_ = [
    'mmselfsup::selfsup/_base_/models/simsiam.py',
    '../_base_/datasets/imagenet100_mocov2.py',
    '../_base_/schedules/simsiam_coslr-200e_small.py',
]

model = dict(
    backbone=dict(depth=18, norm_cfg=dict(type='BN')),
    neck=dict(in_channels=512, norm_cfg=dict(type='BN1d')),
    head=dict(predictor=dict(norm_cfg=dict(type='BN1d'))))

lr = 0.05  # lightly's ImageNet-100 benchmark, with decay 1e-4
optim_wrapper = dict(optimizer=dict(lr=lr, weight_decay=1e-4))
custom_hooks = [
    dict(type='SimSiamHook', priority='HIGH', fix_pred_lr=True, lr=lr)
]
