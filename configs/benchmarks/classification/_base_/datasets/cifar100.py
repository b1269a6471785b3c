_base_ = ['cifar10.py', '../../../../_base_/statistics/cifar100.py']

cifar100 = dict(type='mmregioncl.CIFAR100', data_prefix='data/cifar100/')
train_dataloader = dict(dataset=cifar100)
val_dataloader = dict(dataset=cifar100)
test_dataloader = val_dataloader
