_base_ = ['cifar10_mocov2.py', '../statistics/tiny-imagenet.py']

view_pipeline = _base_.view_pipeline
view_pipeline[0].size = 64

train_pipeline = [
    dict(type='mmregioncl.LoadImage'),
    dict(type='mmregioncl.MultiView', num_views=2, transforms=[view_pipeline]),
    dict(type='mmregioncl.PackSelfSupInputs'),
]

tiny = dict(type='mmregioncl.TinyImageNet', data_root='data/tiny-imagenet-200')
train_dataloader = dict(
    dataset=dict(_delete_=True, **tiny, pipeline=train_pipeline))

# Labeled sets to evaluate on
eval_pipeline = [
    dict(type='mmregioncl.LoadImage', on_corrupt='raise'),
    *_base_.eval_pipeline,
]
eval_datasets = dict(
    train=dict(_delete_=True, **tiny, pipeline=eval_pipeline),
    test=dict(_delete_=True, **tiny, test_mode=True, pipeline=eval_pipeline))
