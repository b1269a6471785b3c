_base_ = 'mmselfsup::selfsup/_base_/models/byol.py'

model = dict(
    type='mmregioncl.RegionCLBYOL',
    data_preprocessor=dict(type='mmregioncl.SelfSupDataPreprocessor'))
