_base_ = [
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/linear_lars-coslr-90e.py',
    '../_base_/default_runtime.py',
]

# For RegionCL-S: the linear classifier of SimSiam
model = dict(frozen=True)
train_dataloader = dict(batch_size=512)
