_base_ = 'mocov3_vit-tiny-p4_1xb512-coslr-200e_cifar10.py'

model = dict(type='mmregioncl.RegionCLMoCoV3')
