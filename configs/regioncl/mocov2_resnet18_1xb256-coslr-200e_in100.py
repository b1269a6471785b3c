# Baseline of regioncl-m_resnet18_1xb256-coslr-200e_in100.py. Learning rate and
# weight decay are those of MoCo v2 and of lightly's ImageNet-100 benchmark.
_base_ = [
    '../_base_/models/mocov2.py',
    '../_base_/datasets/imagenet100_mocov2.py',
    '../_base_/schedules/sgd_coslr-200e_in1k.py',
    '../_base_/labelled_runtime.py',
]

model = dict(
    queue_len=65536,  # half of the 126,689 images, as in lightly
    backbone=dict(depth=18),
    neck=dict(in_channels=512, hid_channels=512))
