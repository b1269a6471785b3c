# The two views of MoCo v2 at 32 pixels, without blur, as in ContrastiveCrop.
view_pipeline = [
    dict(type='RandomResizedCrop', size=32, scale=(0.2, 1.), backend='pillow'),
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1)
        ],
        prob=0.8),
    dict(
        type='RandomGrayscale',
        prob=0.2,
        keep_channels=True,
        channel_weights=(0.114, 0.587, 0.2989)),
    dict(type='RandomFlip', prob=0.5),
]

train_pipeline = [
    dict(type='MultiView', num_views=2, transforms=[view_pipeline]),
    dict(type='PackSelfSupInputs'),
]

data_root = 'data/cifar10/'
train_dataloader = dict(
    batch_size=512,
    num_workers=4,
    drop_last=True,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmregioncl.CIFAR10',  # BGR, from the pickles or from archives
        data_prefix=data_root,
        pipeline=train_pipeline))

# Labelled sets to evaluate on
eval_pipeline = [dict(type='PackSelfSupInputs', algorithm_keys=['gt_label'])]
eval_datasets = dict(
    train=dict(
        type='mmregioncl.CIFAR10',
        data_prefix=data_root,
        pipeline=eval_pipeline),
    test=dict(
        type='mmregioncl.CIFAR10',
        data_prefix=data_root,
        test_mode=True,
        pipeline=eval_pipeline))
