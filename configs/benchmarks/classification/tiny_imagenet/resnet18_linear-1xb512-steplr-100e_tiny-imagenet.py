_base_ = [
    '../_base_/models/resnet18-cifar_linear.py',
    '../_base_/datasets/tiny-imagenet.py',
    '../_base_/schedules/linear_steplr-100e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(num_classes=200, **_base_.image_statistics),
    head=dict(num_classes=200))

# As in ContrastiveCrop
optim_wrapper = dict(optimizer=dict(lr=10.))
