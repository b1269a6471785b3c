_base_ = [
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/linear_steplr-100e.py',
    '../_base_/default_runtime.py',
]

# As in the official log of RegionCL-M: batch 1024 with the same learning rate
model = dict(frozen=True)
train_dataloader = dict(batch_size=128)
