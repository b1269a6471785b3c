_base_ = [
    '../_base_/models/regioncl-m.py',
    '../_base_/datasets/imagenet_mocov2.py',
    '../_base_/schedules/sgd_coslr-200e_in1k.py',
    '../_base_/default_runtime.py',
]

# The official recipe: batch 1024, and five times MoCo v2's learning rate
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=0.15))
