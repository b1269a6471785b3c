_base_ = 'mmselfsup::selfsup/_base_/models/simsiam.py'

# Regions of 3 to 5 cells of 32 pixels, the official sizes, by default
model = dict(
    type='mmregioncl.RegionCLSimSiam',
    neck=dict(type='mmregioncl.RegionNonLinearNeck'),
    head=dict(type='mmregioncl.RegionLatentPredictHead'))
