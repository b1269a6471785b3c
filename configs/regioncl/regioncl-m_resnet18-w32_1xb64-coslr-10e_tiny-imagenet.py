_base_ = 'mocov2_resnet18-w32_1xb64-coslr-10e_tiny-imagenet.py'

model = dict(type='mmregioncl.RegionCLMoCo')
