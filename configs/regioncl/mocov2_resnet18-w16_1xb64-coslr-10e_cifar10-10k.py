# This package's protocol for two CPU cores: quarter width, 10,000 images and
# 10 epochs. Results are in benchmarks/learning_cifar10.md.
_base_ = 'mocov2_resnet18_1xb512-coslr-200e_cifar10.py'

model = dict(
    queue_len=2048,  # a fifth of the images
    backbone=dict(stem_channels=16, base_channels=16),
    neck=dict(in_channels=128, hid_channels=128))

train_dataloader = dict(
    batch_size=64, num_workers=1, dataset=dict(indices=10000))
eval_datasets = dict(train=dict(indices=10000), test=dict(indices=2000))

optim_wrapper = dict(optimizer=dict(lr=0.06))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=10, by_epoch=True, begin=0, end=10)
]
train_cfg = dict(max_epochs=10)
