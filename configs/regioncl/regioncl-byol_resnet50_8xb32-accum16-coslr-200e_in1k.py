_base_ = [
    '../_base_/models/regioncl-byol.py',
    '../_base_/datasets/imagenet_byol.py',
    '../_base_/schedules/lars_coslr-200e_no-decay.py',
    '../_base_/default_runtime.py',
]

# MMSelfSup's recipe of BYOL: lr 4.8 for a batch of 4096
optim_wrapper = dict(accumulative_counts=16)
