_base_ = 'imagenet.py'

load, *others = _base_.train_pipeline
train_pipeline = [dict(type='mmregioncl.LoadImage'), *others]
load, *others = _base_.test_pipeline
test_pipeline = [
    dict(type='mmregioncl.LoadImage', on_corrupt='raise'), *others
]

# Both hold one folder for each class.
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/images/train',
        pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/images/val',
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(topk=(1, ))  # any number of folders
test_evaluator = val_evaluator
