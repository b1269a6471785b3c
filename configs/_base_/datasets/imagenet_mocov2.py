# MoCo v2's views, as in MMSelfSup
view_pipeline = [
    dict(
        type='mmregioncl.RandomResizedCrop',
        size=224,
        scale=(0.2, 1.),
        backend='pillow'),
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='mmregioncl.ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1)
        ],
        prob=0.8),
    dict(
        type='mmregioncl.RandomGrayscale',
        prob=0.2,
        keep_channels=True,
        channel_weights=(0.114, 0.587, 0.2989)),
    dict(
        type='mmregioncl.RandomGaussianBlur',
        sigma_min=0.1,
        sigma_max=2.0,
        prob=0.5),
    dict(type='mmregioncl.RandomFlip', prob=0.5),
]

train_pipeline = [
    dict(type='mmregioncl.LoadImage'),  # replaces files it cannot read
    dict(type='mmregioncl.MultiView', num_views=2, transforms=[view_pipeline]),
    dict(type='mmregioncl.PackSelfSupInputs'),
]

data_root = 'data/imagenet/'
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    drop_last=True,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='mmregioncl.SeededSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ImageNet',
        data_root=data_root,
        ann_file='meta/train.txt',
        data_prefix=dict(img_path='train/'),
        pipeline=train_pipeline))
