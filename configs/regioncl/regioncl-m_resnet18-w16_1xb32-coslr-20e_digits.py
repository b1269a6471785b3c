# The demo
_base_ = 'mocov2_resnet18-w16_1xb32-coslr-20e_digits.py'

model = dict(type='mmregioncl.RegionCLMoCo')
