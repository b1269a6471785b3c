_base_ = 'mocov2.py'

model = dict(type='DenseCL', loss_lambda=0.5, neck=dict(type='DenseCLNeck'))
