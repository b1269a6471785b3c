_base_ = [
    '../_base_/models/faster-rcnn_r50_c4.py',
    '../_base_/datasets/voc0712.py',
    '../_base_/schedules/sgd_90k.py',
    '../_base_/c4_runtime.py',
]

# Iterations of MoCo's recipe
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(end=100)
param_scheduler[1].update(end=24000, milestones=[18000, 22000])
train_cfg = dict(max_iters=24000, val_interval=6000)
