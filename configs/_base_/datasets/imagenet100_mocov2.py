_base_ = 'imagenet_mocov2.py'

subset = dict(type='mmregioncl.ImageNetSubset', classes='imagenet100')
train_dataloader = dict(
    batch_size=256,
    dataset=dict(
        _delete_=True,
        **subset,
        data_root='data/imagenet/train',
        pipeline=_base_.train_pipeline))

# Labeled sets to evaluate on
eval_pipeline = [
    dict(type='mmregioncl.LoadImage', on_corrupt='raise'),
    dict(type='ResizeEdge', scale=256, edge='short'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='mmregioncl.PackSelfSupInputs', algorithm_keys=['gt_label']),
]
eval_datasets = dict(
    train=dict(
        **subset, data_root='data/imagenet/train', pipeline=eval_pipeline),
    test=dict(**subset, data_root='data/imagenet/val', pipeline=eval_pipeline))
