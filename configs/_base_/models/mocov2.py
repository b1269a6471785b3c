_base_ = 'mmselfsup::selfsup/_base_/models/mocov2.py'

model = dict(data_preprocessor=dict(type='mmregioncl.SelfSupDataPreprocessor'))
