_base_ = ['cifar10_mocov2.py', '../statistics/stl10.py']

view_pipeline = _base_.view_pipeline
view_pipeline[0].size = 96

train_pipeline = [
    dict(type='mmregioncl.MultiView', num_views=2, transforms=[view_pipeline]),
    dict(type='mmregioncl.PackSelfSupInputs'),
]

stl10 = dict(type='mmregioncl.STL10', data_root='data/stl10_binary')
train_dataloader = dict(
    dataset=dict(_delete_=True, **stl10, pipeline=train_pipeline))

# Labeled sets to evaluate on
eval_pipeline = _base_.eval_pipeline
eval_datasets = dict(
    train=dict(_delete_=True, **stl10, splits='train', pipeline=eval_pipeline),
    test=dict(_delete_=True, **stl10, splits='test', pipeline=eval_pipeline))
