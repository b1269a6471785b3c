_base_ = 'mmselfsup::selfsup/_base_/models/densecl.py'

model = dict(data_preprocessor=dict(type='mmregioncl.SelfSupDataPreprocessor'))
