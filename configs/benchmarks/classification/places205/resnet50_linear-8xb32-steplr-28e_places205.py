_base_ = [
    '../_base_/models/resnet50.py',
    '../_base_/datasets/places205.py',
    '../_base_/schedules/linear_steplr-100e.py',
    '../_base_/default_runtime.py',
]

model = dict(frozen=True, head=dict(num_classes=205))
data_preprocessor = dict(num_classes=205)

# VISSL's learning rate and steps, for one layer on the last features
optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=1e-4, nesterov=True))
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[7, 14, 21], gamma=0.1)
]
train_cfg = dict(max_epochs=28)
