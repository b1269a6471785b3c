_base_ = [
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/finetune_coslr-30e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(norm_cfg=dict(type='SyncBN')))
train_dataloader = dict(batch_size=16)
