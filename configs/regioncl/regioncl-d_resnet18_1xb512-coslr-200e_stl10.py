_base_ = 'densecl_resnet18_1xb512-coslr-200e_stl10.py'

model = dict(
    type='mmregioncl.RegionCLDenseCL',
    neck=dict(type='mmregioncl.RegionDenseCLNeck'),
    head=dict(type='mmregioncl.RegionContrastiveHead'),
    # A third of the 12x12 cells on average, as the official 3 to 5 of 7x7
    region_swap=dict(type='mmregioncl.RegionSwap', size=(5, 9), stride=8))
