# No source combines the two: alpha and the schedule of boxes are
# ContrastiveCrop's.
_base_ = [
    '../_base_/models/regioncl-d.py',
    '../_base_/datasets/imagenet_ccrop.py',
    '../_base_/schedules/sgd_coslr-200e_in1k.py',
    '../_base_/ccrop_runtime.py',
]

# Batch and learning rate of the official RegionCL-M
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=0.15))
