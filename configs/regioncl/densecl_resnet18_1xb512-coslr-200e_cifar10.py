# Baseline of regioncl-d_resnet18_1xb512-coslr-200e_cifar10.py
_base_ = [
    '../_base_/models/densecl_resnet18-cifar.py',
    '../_base_/datasets/cifar10_mocov2.py',
    '../_base_/schedules/sgd_coslr-200e_small.py',
    '../_base_/labelled_runtime.py',
]
