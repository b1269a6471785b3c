# Baseline of ccrop-simclr_resnet18_1xb512-coslr-500e_cifar10.py
_base_ = [
    '../_base_/models/ccrop-simclr.py',
    '../_base_/datasets/cifar10_mocov2.py',
    '../_base_/schedules/sgd_coslr-500e_ccrop.py',
    '../_base_/labelled_runtime.py',
]
