_base_ = ['cifar10_mocov2.py', '../statistics/cifar100.py']

data_root = 'data/cifar100/'
cifar100 = dict(type='mmregioncl.CIFAR100', data_prefix=data_root)
train_dataloader = dict(dataset=cifar100)
eval_datasets = dict(train=cifar100, test=cifar100)
