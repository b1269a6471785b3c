_base_ = 'cifar10_mocov2.py'

image_statistics = dict(  # of its images, RGB
    mean=(129.3, 124.1, 112.4), std=(68.2, 65.4, 70.4))

data_root = 'data/cifar100/'
cifar100 = dict(type='mmregioncl.CIFAR100', data_prefix=data_root)
train_dataloader = dict(dataset=cifar100)
eval_datasets = dict(train=cifar100, test=cifar100)
