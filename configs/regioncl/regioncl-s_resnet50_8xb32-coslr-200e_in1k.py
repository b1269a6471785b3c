_base_ = [
    '../_base_/models/regioncl-s.py',
    '../_base_/datasets/imagenet_mocov2.py',
    '../_base_/schedules/simsiam_coslr-200e_in1k.py',
    '../_base_/default_runtime.py',
]
