_base_ = 'mocov2.py'

model = dict(backbone=dict(zero_init_residual=False))  # as released
