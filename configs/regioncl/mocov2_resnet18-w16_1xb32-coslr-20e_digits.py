# Baseline of the demo: quarter width and 20 short epochs, for two CPU cores
_base_ = 'mocov2_resnet18_1xb512-coslr-200e_cifar10.py'

data_root = 'demo/digits/'  # as tools/demo.py writes it

model = dict(
    queue_len=512,  # less than the 1,198 images
    data_preprocessor=dict(
        mean=(78.7, 78.7, 78.7),  # of the digits
        std=(88.9, 88.9, 88.9)),
    backbone=dict(stem_channels=16, base_channels=16),
    neck=dict(in_channels=128, hid_channels=128))

# Flips would change the digits, and the scans have no colors. These values
# and the learning rate are this package's own, tried on the digits.
view_pipeline = [
    dict(
        type='mmregioncl.RandomResizedCrop',
        size=24,
        scale=(0.5, 1.),
        backend='pillow'),
    dict(type='mmregioncl.ColorJitter', brightness=0.2, contrast=0.2),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=0,  # a worker would take longer, on two busy cores
    dataset=dict(
        _delete_=True,
        type='CustomDataset',  # for its labels, which the hooks read
        data_root=data_root + 'train',
        pipeline=[
            dict(type='mmregioncl.LoadImage'),
            dict(
                type='mmregioncl.MultiView',
                num_views=2,
                transforms=[view_pipeline]),
            dict(type='mmregioncl.PackSelfSupInputs'),
        ]))

eval_pipeline = [
    dict(type='mmregioncl.LoadImage', on_corrupt='raise'),
    *_base_.eval_pipeline,
]
eval_datasets = dict(
    train=dict(
        _delete_=True,
        type='CustomDataset',
        data_root=data_root + 'train',
        pipeline=eval_pipeline),
    test=dict(
        _delete_=True,
        type='CustomDataset',
        data_root=data_root + 'test',
        pipeline=eval_pipeline))

optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=20, by_epoch=True, begin=0, end=20)
]
train_cfg = dict(max_epochs=20)

default_hooks = dict(
    logger=dict(interval=12),
    timer=dict(most_wait=0.2),  # the loader works in this process
    health=dict(samples=128))  # cheap enough for every fourth epoch
randomness = dict(seed=0)
