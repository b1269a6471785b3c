_base_ = 'mmselfsup::selfsup/_base_/models/densecl.py'

# Regions of 3 to 5 cells of 32 pixels, the official sizes, by default
model = dict(
    type='mmregioncl.RegionCLDenseCL',
    neck=dict(type='mmregioncl.RegionDenseCLNeck'),
    head=dict(type='mmregioncl.RegionContrastiveHead'))
