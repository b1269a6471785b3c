_base_ = [
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/semi_steplr-20e.py',
    '../_base_/default_runtime.py',
]

# OpenSelfSup's protocol. It reports the best of nine: learning rates of 0.001,
# 0.01 and 0.1, and heads that learn 1, 10 and 100 times as fast.
model = dict(backbone=dict(norm_cfg=dict(type='SyncBN')))
train_dataloader = dict(dataset=dict(ann_file='meta/train_10percent.txt'))
