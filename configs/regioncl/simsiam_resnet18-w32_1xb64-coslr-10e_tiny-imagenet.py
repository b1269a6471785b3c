_base_ = 'simsiam_resnet18_1xb512-coslr-200e_tiny-imagenet.py'

model = dict(
    backbone=dict(
        type='ResNet',
        stem_channels=32,
        base_channels=32,
        strides=(1, 2, 2, 1),
        norm_cfg=dict(type='BN')),
    neck=dict(in_channels=256, hid_channels=512, out_channels=512),
    head=dict(
        predictor=dict(in_channels=512, hid_channels=128, out_channels=512)))

train_dataloader = dict(batch_size=64, num_workers=1)

param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=10, by_epoch=True, begin=0, end=10)
]
train_cfg = dict(max_epochs=10)
