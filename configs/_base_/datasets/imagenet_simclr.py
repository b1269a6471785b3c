_base_ = 'imagenet_mocov2.py'

# SimCLR's views, as in MMSelfSup
view_pipeline = [
    dict(type='mmregioncl.RandomResizedCrop', size=224, backend='pillow'),
    dict(type='mmregioncl.RandomFlip', prob=0.5),
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='mmregioncl.ColorJitter',
                brightness=0.8,
                contrast=0.8,
                saturation=0.8,
                hue=0.2)
        ],
        prob=0.8),
    *_base_.view_pipeline[2:4],  # grayscale and blur
]

train_pipeline = [
    dict(type='mmregioncl.LoadImage'),
    dict(type='mmregioncl.MultiView', num_views=2, transforms=[view_pipeline]),
    dict(type='mmregioncl.PackSelfSupInputs'),
]
train_dataloader = dict(num_workers=4, dataset=dict(pipeline=train_pipeline))
