_base_ = 'mocov3_vit-w96-p4_1xb64-coslr-10e_cifar10-10k.py'

model = dict(type='mmregioncl.RegionCLMoCoV3')
