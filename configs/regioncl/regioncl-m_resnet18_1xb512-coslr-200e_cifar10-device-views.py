_base_ = 'mocov2_resnet18_1xb512-coslr-200e_cifar10-device-views.py'

model = dict(type='mmregioncl.RegionCLMoCo')
