_base_ = 'sgd_coslr-200e_in1k.py'

# DenseCL's densecl_coco_800ep.py: lr 0.3 for a batch of 256
optim_wrapper = dict(optimizer=dict(lr=0.3))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=800, by_epoch=True, begin=0, end=800)
]
train_cfg = dict(max_epochs=800)
