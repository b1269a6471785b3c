# Baseline of ccrop-mocov2_resnet50_8xb32-coslr-100e_in1k.py
_base_ = [
    '../_base_/models/ccrop-mocov2.py',
    '../_base_/datasets/imagenet_mocov2.py',
    '../_base_/schedules/sgd_coslr-100e_in1k.py',
    '../_base_/default_runtime.py',
]
