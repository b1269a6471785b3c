# The twin of ccrop-mocov2_resnet50_8xb32-coslr-100e_in200.py
_base_ = [
    'mmselfsup::selfsup/_base_/models/mocov2.py',
    '../_base_/datasets/imagenet200_mocov2.py',
    'mmselfsup::selfsup/_base_/schedules/sgd_coslr-200e_in1k.py',
    '../_base_/labelled_runtime.py',
]

model = dict(backbone=dict(zero_init_residual=False))  # as released

param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=100, by_epoch=True, begin=0, end=100)
]
train_cfg = dict(max_epochs=100)
