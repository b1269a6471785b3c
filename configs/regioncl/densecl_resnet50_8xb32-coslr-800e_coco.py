# Baseline of regioncl-d_resnet50_8xb32-coslr-800e_coco.py
_base_ = [
    '../_base_/models/densecl.py',
    '../_base_/datasets/coco_mocov2.py',
    '../_base_/schedules/sgd_coslr-800e_coco.py',
    '../_base_/default_runtime.py',
]

# As DenseCL on COCO: more than half of the 118,287 images
model = dict(queue_len=65536)
