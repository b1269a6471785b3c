# A small recipe for two CPU cores: COCO's 80 classes on 199 images of at most
# 384 pixels
_base_ = [
    '../_base_/models/mask-rcnn_r18-w32_fpn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/sgd_90k.py',
    '../_base_/default_runtime.py',
]

data_root = 'data/coco_small/'
train_pipeline = _base_.train_pipeline
train_pipeline[2].scales = [(384, side) for side in range(192, 257, 32)]
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='train.json',
        data_prefix=dict(img='images/train/'),
        pipeline=train_pipeline))
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (384, 256)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='val.json',
        data_prefix=dict(img='images/val/'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'val.json')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=0.01))  # this package's
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 100
param_scheduler[1].update(end=2000, milestones=[1300, 1800])
train_cfg = dict(max_iters=2000, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=1000))
auto_scale_lr = dict(base_batch_size=2)
