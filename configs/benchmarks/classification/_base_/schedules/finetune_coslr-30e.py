_base_ = 'linear_steplr-100e.py'

# This package's own, for a batch of 128
optim_wrapper = dict(
    optimizer=dict(lr=0.01, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=10.)}))
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=30, begin=0, end=30)
]
train_cfg = dict(max_epochs=30)
