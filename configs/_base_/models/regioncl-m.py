_base_ = 'mmselfsup::selfsup/_base_/models/mocov2.py'

model = dict(
    type='mmregioncl.RegionCLMoCo',
    backbone=dict(zero_init_residual=False),  # as the official code
    neck=dict(type='mmregioncl.RegionMoCoV2Neck'),
    head=dict(type='mmregioncl.RegionContrastiveHead'),
    region_swap=dict(
        type='mmregioncl.RegionSwap',
        size=(3, 5),  # cells, the official 96 to 160 pixels
        stride=32))
