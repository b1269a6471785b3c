# The views are MoCo v2's, as released.
_base_ = [
    '../_base_/models/ccrop-mocov1.py',
    '../_base_/datasets/imagenet200_ccrop.py',
    '../_base_/schedules/sgd_steplr-100e_ccrop.py',
    '../_base_/labelled_ccrop_runtime.py',
]
