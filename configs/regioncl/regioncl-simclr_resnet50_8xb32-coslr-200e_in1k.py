_base_ = [
    '../_base_/models/regioncl-simclr.py',
    '../_base_/datasets/imagenet_simclr.py',
    '../_base_/schedules/lars_coslr-200e_no-decay.py',
    '../_base_/default_runtime.py',
]

# MMSelfSup's recipe of SimCLR: lr 0.3 for a batch of 256
optim_wrapper = dict(optimizer=dict(lr=0.3))
