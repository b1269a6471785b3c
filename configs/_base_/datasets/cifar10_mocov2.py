_base_ = 'imagenet_mocov2.py'

# MoCo v2's views at 32 pixels, without blur as in ContrastiveCrop
view_pipeline = _base_.view_pipeline
view_pipeline[0].size = 32
del view_pipeline[3]

train_pipeline = [
    dict(type='mmregioncl.MultiView', num_views=2, transforms=[view_pipeline]),
    dict(type='mmregioncl.PackSelfSupInputs'),
]

data_root = 'data/cifar10/'
train_dataloader = dict(
    batch_size=512,
    num_workers=4,
    dataset=dict(
        _delete_=True,
        type='mmregioncl.CIFAR10',  # BGR, from the pickles or from archives
        data_prefix=data_root,
        pipeline=train_pipeline))

# Labeled sets to evaluate on
eval_pipeline = [
    dict(type='mmregioncl.PackSelfSupInputs', algorithm_keys=['gt_label'])
]
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
