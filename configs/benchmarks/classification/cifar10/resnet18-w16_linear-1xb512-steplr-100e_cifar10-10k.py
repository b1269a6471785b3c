# For the networks trained on 10,000 images, on two CPU cores
_base_ = 'resnet18_linear-1xb512-steplr-100e_cifar10.py'

model = dict(
    backbone=dict(stem_channels=16, base_channels=16),
    head=dict(in_channels=128))
train_dataloader = dict(num_workers=1, dataset=dict(indices=10000))
val_dataloader = dict(num_workers=1, dataset=dict(indices=2000))
test_dataloader = val_dataloader
