# Baseline of regioncl-m_resnet18_1xb512-coslr-200e_tiny-imagenet.py
_base_ = [
    '../_base_/models/mocov2_resnet18-cifar.py',
    '../_base_/datasets/tiny-imagenet_mocov2.py',
    '../_base_/schedules/sgd_coslr-200e_small.py',
    '../_base_/labelled_runtime.py',
]

model = dict(
    queue_len=16384,  # less than the 100,000 images
    data_preprocessor=_base_.image_statistics)
