_base_ = 'simsiam_resnet18-w16_1xb64-coslr-20e_cifar10-10k.py'

model = dict(type='mmregioncl.RegionCLSimSiam')
