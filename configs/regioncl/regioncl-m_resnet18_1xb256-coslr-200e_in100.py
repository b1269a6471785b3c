_base_ = 'mocov2_resnet18_1xb256-coslr-200e_in100.py'

model = dict(type='mmregioncl.RegionCLMoCo')
