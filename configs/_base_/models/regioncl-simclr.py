_base_ = 'mmselfsup::selfsup/_base_/models/simclr.py'

model = dict(
    type='mmregioncl.RegionCLSimCLR',
    data_preprocessor=dict(type='mmregioncl.SelfSupDataPreprocessor'))
