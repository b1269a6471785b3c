_base_ = [
    '../_base_/models/ccrop-mocov2.py',
    '../_base_/datasets/imagenet_ccrop.py',
    '../_base_/schedules/sgd_coslr-100e_in1k.py',
    '../_base_/ccrop_runtime.py',
]
