# The demo
_base_ = 'mocov2_resnet18-w16_1xb32-coslr-20e_digits.py'

model = dict(
    type='mmregioncl.RegionCLMoCo',
    neck=dict(type='mmregioncl.RegionMoCoV2Neck'),
    head=dict(type='mmregioncl.RegionContrastiveHead'),
    # Two fifths of the 4x4 cells on average; officially a third of 7x7
    region_swap=dict(type='mmregioncl.RegionSwap', size=(2, 3), stride=8))
