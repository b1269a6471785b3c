# No source combines the two: alpha and the schedule of boxes are
# ContrastiveCrop's.
_base_ = [
    '../_base_/models/regioncl-s.py',
    '../_base_/datasets/imagenet_ccrop.py',
    '../_base_/schedules/simsiam_coslr-200e_in1k.py',
    '../_base_/ccrop_runtime.py',
]
