_base_ = 'mocov2.py'

model = dict(
    type='mmregioncl.RegionCLMoCo',
    backbone=dict(zero_init_residual=False))  # as in the official code
