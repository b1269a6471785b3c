_base_ = 'simsiam_resnet18_1xb512-coslr-200e_cifar100.py'

model = dict(type='mmregioncl.RegionCLSimSiam')
