_base_ = 'mmselfsup::selfsup/_base_/datasets/imagenet_mocov2.py'

train_pipeline = [
    dict(type='mmregioncl.LoadImage'),  # names and skips unreadable files
    dict(type='MultiView', num_views=2, transforms=[{{_base_.view_pipeline}}]),
    dict(type='PackSelfSupInputs'),
]
train_dataloader = dict(pin_memory=True, dataset=dict(pipeline=train_pipeline))
