_base_ = 'sgd_90k.py'

param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=180000, milestones=[120000, 160000])
train_cfg = dict(max_iters=180000, val_interval=60000)
