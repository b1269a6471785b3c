# The twin of regioncl-d_resnet18_1xb256-coslr-200e_in100.py
_base_ = [
    'mmselfsup::selfsup/_base_/models/densecl.py',
    '../_base_/datasets/imagenet100_mocov2.py',
    '../_base_/schedules/sgd_coslr-200e_small.py',
    '../_base_/default_runtime.py',
]

model = dict(
    queue_len=16384,  # less than the 126,689 images
    backbone=dict(depth=18),
    neck=dict(in_channels=512, hid_channels=512))

# lightly's law of CIFAR-10: 0.06 x 256 / 128
optim_wrapper = dict(optimizer=dict(lr=0.12))
