# Baseline of regioncl-d_resnet18_1xb512-coslr-200e_cifar100.py
_base_ = [
    '../_base_/models/densecl_resnet18-cifar.py',
    '../_base_/datasets/cifar100_mocov2.py',
    '../_base_/schedules/sgd_coslr-200e_small.py',
    '../_base_/labelled_runtime.py',
]

model = dict(data_preprocessor=_base_.image_statistics)
