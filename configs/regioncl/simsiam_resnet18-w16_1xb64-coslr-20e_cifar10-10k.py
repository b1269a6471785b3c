# 20 epochs: after the 10 of the others, SimSiam has hardly begun to learn. See
# benchmarks/learning_cifar10.md.
_base_ = 'simsiam_resnet18_1xb512-coslr-200e_cifar10.py'

model = dict(
    backbone=dict(stem_channels=16, base_channels=16),
    neck=dict(in_channels=128, hid_channels=512, out_channels=512),
    head=dict(
        predictor=dict(in_channels=512, hid_channels=128, out_channels=512)))

train_dataloader = dict(
    batch_size=64, num_workers=1, dataset=dict(indices=10000))
eval_datasets = dict(train=dict(indices=10000), test=dict(indices=2000))

param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=20, by_epoch=True, begin=0, end=20)
]
train_cfg = dict(max_epochs=20)
