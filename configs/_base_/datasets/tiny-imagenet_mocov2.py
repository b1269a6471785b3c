_base_ = ['cifar10_mocov2.py', '../statistics/tiny-imagenet.py']

crop, *others = _base_.view_pipeline
view_pipeline = [dict(crop, size=64), *others]

train_pipeline = [
    dict(type='mmregioncl.LoadImage'),
    dict(type='MultiView', num_views=2, transforms=[view_pipeline]),
    dict(type='PackSelfSupInputs'),
]

tiny = dict(type='mmregioncl.TinyImageNet', data_root='data/tiny-imagenet-200')
train_dataloader = dict(
    dataset=dict(_delete_=True, **tiny, pipeline=train_pipeline))

# Labelled sets to evaluate on
eval_pipeline = [
    dict(type='mmregioncl.LoadImage', on_corrupt='raise'),
    dict(type='PackSelfSupInputs', algorithm_keys=['gt_label']),
]
eval_datasets = dict(
    train=dict(_delete_=True, **tiny, pipeline=eval_pipeline),
    test=dict(_delete_=True, **tiny, test_mode=True, pipeline=eval_pipeline))
