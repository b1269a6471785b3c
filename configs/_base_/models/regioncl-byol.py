_base_ = 'mmselfsup::selfsup/_base_/models/byol.py'

# Regions of 3 to 5 cells of 32 pixels, the official sizes, by default
model = dict(
    type='mmregioncl.RegionCLBYOL',
    neck=dict(type='mmregioncl.RegionNonLinearNeck'),
    head=dict(type='mmregioncl.RegionLatentPredictHead'))
