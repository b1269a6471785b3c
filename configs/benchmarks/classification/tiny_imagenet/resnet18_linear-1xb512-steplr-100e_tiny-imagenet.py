_base_ = [
    '../_base_/models/resnet18-cifar_linear.py',
    '../_base_/datasets/tiny-imagenet.py',
    '../_base_/schedules/linear_steplr-100e_small.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=200))
data_preprocessor = dict(num_classes=200, **_base_.image_statistics)
