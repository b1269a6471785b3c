_base_ = 'mmselfsup::selfsup/_base_/models/simsiam.py'

model = dict(data_preprocessor=dict(type='mmregioncl.SelfSupDataPreprocessor'))
