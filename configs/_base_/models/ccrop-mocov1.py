_base_ = 'mmselfsup::selfsup/_base_/models/mocov1.py'

model = dict(
    data_preprocessor=dict(type='mmregioncl.SelfSupDataPreprocessor'),
    backbone=dict(zero_init_residual=False))  # as released
