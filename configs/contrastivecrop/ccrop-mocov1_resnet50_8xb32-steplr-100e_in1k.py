# The views are MoCo v2's, as released.
_base_ = [
    '../_base_/models/ccrop-mocov1.py',
    '../_base_/datasets/imagenet_ccrop.py',
    '../_base_/schedules/sgd_steplr-100e_ccrop.py',
    '../_base_/ccrop_runtime.py',
]
