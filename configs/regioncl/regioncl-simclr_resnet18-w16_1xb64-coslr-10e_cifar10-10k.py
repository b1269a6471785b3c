_base_ = 'simclr_resnet18-w16_1xb64-coslr-10e_cifar10-10k.py'

model = dict(type='mmregioncl.RegionCLSimCLR')
