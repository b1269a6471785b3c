# For two CPU cores, as the other recipes of 10,000 images: half the width and
# a third of the layers of ViT-Ti.
_base_ = 'mocov3_vit-tiny-p4_1xb512-coslr-200e_cifar10.py'

model = dict(
    backbone=dict(
        arch=dict(embed_dims=96, num_layers=4, feedforward_channels=384)),
    neck=dict(in_channels=96, out_channels=128),
    head=dict(predictor=dict(in_channels=128, out_channels=128)))

train_dataloader = dict(
    batch_size=64, num_workers=1, dataset=dict(indices=10000))
eval_datasets = dict(train=dict(indices=10000), test=dict(indices=2000))

optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=1),
    dict(_base_.param_scheduler[1], T_max=9, begin=1, end=10)
]
train_cfg = dict(max_epochs=10)
