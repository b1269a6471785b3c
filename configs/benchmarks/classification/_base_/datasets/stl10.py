_base_ = ['cifar10.py', '../../../../_base_/statistics/stl10.py']

crop, *others = _base_.train_pipeline
train_pipeline = [dict(crop, size=96), *others]

stl10 = dict(
    _delete_=True, type='mmregioncl.STL10', data_root='data/stl10_binary')
train_dataloader = dict(
    dataset=dict(**stl10, splits='train', pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(**stl10, splits='test', pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
