_base_ = ['cifar10.py', '../../../../_base_/statistics/tiny-imagenet.py']

crop, *others = _base_.train_pipeline
load = dict(type='mmregioncl.LoadImage')
train_pipeline = [load, dict(crop, size=64), *others]
test_pipeline = [dict(load, on_corrupt='raise'), *_base_.test_pipeline]

tiny = dict(
    _delete_=True,
    type='mmregioncl.TinyImageNet',
    data_root='data/tiny-imagenet-200')
train_dataloader = dict(dataset=dict(**tiny, pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(**tiny, test_mode=True, pipeline=test_pipeline))
test_dataloader = val_dataloader
