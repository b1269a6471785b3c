_base_ = 'simsiam_resnet18_1xb512-coslr-200e_cifar10.py'

model = dict(type='mmregioncl.RegionCLSimSiam')
