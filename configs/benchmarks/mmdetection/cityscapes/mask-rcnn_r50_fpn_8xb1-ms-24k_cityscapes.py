_base_ = [
    '../_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/datasets/cityscapes_instance.py',
    '../_base_/schedules/sgd_90k.py',
    '../_base_/default_runtime.py',
]

model = dict(
    roi_head=dict(
        bbox_head=dict(num_classes=8), mask_head=dict(num_classes=8)))

optim_wrapper = dict(optimizer=dict(lr=0.01))  # for a batch of 8
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=24000, milestones=[18000])
train_cfg = dict(max_iters=24000, val_interval=6000)
auto_scale_lr = dict(base_batch_size=8)
