# The twin of ccrop-mocov1_resnet50_8xb32-steplr-100e_in200.py
_base_ = [
    'mmselfsup::selfsup/_base_/models/mocov1.py',
    '../_base_/datasets/imagenet200_mocov2.py',
    'mmselfsup::selfsup/_base_/schedules/sgd_steplr-200e_in1k.py',
    '../_base_/labelled_runtime.py',
]

model = dict(backbone=dict(zero_init_residual=False))  # as released

# The views of MoCo v2, as released. The released factor is 0, with which the
# last 40 epochs train nothing; MoCo's own is 0.1.
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[60, 80], gamma=0.1)
]
train_cfg = dict(max_epochs=100)
