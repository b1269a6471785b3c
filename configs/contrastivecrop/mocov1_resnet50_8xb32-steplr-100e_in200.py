# Baseline of ccrop-mocov1_resnet50_8xb32-steplr-100e_in200.py
# The views are MoCo v2's, as released.
_base_ = [
    '../_base_/models/ccrop-mocov1.py',
    '../_base_/datasets/imagenet200_mocov2.py',
    '../_base_/schedules/sgd_steplr-100e_ccrop.py',
    '../_base_/labelled_runtime.py',
]
