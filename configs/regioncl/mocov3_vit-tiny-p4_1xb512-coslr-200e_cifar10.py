# Baseline of regioncl-mocov3_vit-tiny-p4_1xb512-coslr-200e_cifar10.py
_base_ = [
    '../_base_/models/mocov3_vit-tiny-p4-cifar.py',
    '../_base_/datasets/cifar10_mocov2.py',
    '../_base_/schedules/adamw_coslr-300e_in1k.py',
    '../_base_/labelled_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=3e-4))  # MoCo v3's, for a batch of 512
param_scheduler = [
    dict(_base_.param_scheduler[0], end=20),
    dict(_base_.param_scheduler[1], T_max=180, begin=20, end=200)
]
train_cfg = dict(max_epochs=200)
