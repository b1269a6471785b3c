# Baseline of regioncl-s_resnet18_1xb512-coslr-200e_tiny-imagenet.py
_base_ = [
    '../_base_/models/simsiam_resnet18-cifar.py',
    '../_base_/datasets/tiny-imagenet_mocov2.py',
    '../_base_/schedules/simsiam_coslr-200e_small.py',
    '../_base_/labelled_runtime.py',
]

model = dict(data_preprocessor=_base_.image_statistics)
