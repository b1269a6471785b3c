# This package's protocol for two CPU cores: half width, 10 epochs, and 4x4
# cells of 16 pixels. The backbone fits the small detectors and segmenters.
_base_ = 'mocov2_resnet18_1xb512-coslr-200e_tiny-imagenet.py'

model = dict(
    queue_len=4096,
    backbone=dict(
        type='ResNet',
        stem_channels=32,
        base_channels=32,
        strides=(1, 2, 2, 1),
        norm_cfg=dict(type='BN')),
    neck=dict(in_channels=256, hid_channels=256))

train_dataloader = dict(batch_size=64, num_workers=1)

optim_wrapper = dict(optimizer=dict(lr=0.06))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=10, by_epoch=True, begin=0, end=10)
]
train_cfg = dict(max_epochs=10)
