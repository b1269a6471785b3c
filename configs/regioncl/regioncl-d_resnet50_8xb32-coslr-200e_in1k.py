_base_ = [
    '../_base_/models/regioncl-d.py',
    '../_base_/datasets/imagenet_mocov2.py',
    '../_base_/schedules/sgd_coslr-200e_in1k.py',
    '../_base_/default_runtime.py',
]

# DenseCL's recipe: batch 256, lr 0.03. The authors do not state theirs for
# RegionCL-D.
