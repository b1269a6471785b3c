# This package's, for a small data set and a batch of 4
_base_ = 'sgd_90k.py'

optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 100
param_scheduler[1].update(end=600, milestones=[450, 550])
train_cfg = dict(max_iters=600, val_interval=150)
auto_scale_lr = dict(base_batch_size=4)
