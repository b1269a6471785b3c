_base_ = 'imagenet_mocov2.py'

# BYOL's views, as in MMSelfSup: the first is always blurred, the second
# sometimes solarized.
view_pipeline = [
    dict(
        type='mmregioncl.RandomResizedCrop',
        size=224,
        interpolation='bicubic',
        backend='pillow'),
    dict(type='mmregioncl.RandomFlip', prob=0.5),
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='mmregioncl.ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.2,
                hue=0.1)
        ],
        prob=0.8),
    _base_.view_pipeline[2],  # grayscale
]
view_pipeline1 = [
    *view_pipeline,
    dict(
        type='mmregioncl.RandomGaussianBlur',
        sigma_min=0.1,
        sigma_max=2.0,
        prob=1.),
    dict(type='mmregioncl.RandomSolarize', prob=0.),
]
view_pipeline2 = [
    *view_pipeline,
    dict(
        type='mmregioncl.RandomGaussianBlur',
        sigma_min=0.1,
        sigma_max=2.0,
        prob=0.1),
    dict(type='mmregioncl.RandomSolarize', prob=0.2),
]

train_pipeline = [
    dict(type='mmregioncl.LoadImage'),
    dict(
        type='mmregioncl.MultiView',
        num_views=[1, 1],
        transforms=[view_pipeline1, view_pipeline2]),
    dict(type='mmregioncl.PackSelfSupInputs'),
]
train_dataloader = dict(num_workers=4, dataset=dict(pipeline=train_pipeline))
