# Baseline of ccrop-simsiam_resnet18_1xb512-coslr-500e_cifar100.py
_base_ = [
    '../_base_/models/ccrop-simsiam.py',
    '../_base_/datasets/cifar100_mocov2.py',
    '../_base_/schedules/simsiam_coslr-500e_ccrop.py',
    '../_base_/labelled_runtime.py',
]

model = dict(data_preprocessor=_base_.image_statistics)
