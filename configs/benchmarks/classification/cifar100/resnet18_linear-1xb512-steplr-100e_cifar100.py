_base_ = [
    '../_base_/models/resnet18-cifar_linear.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/linear_steplr-100e_small.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=100))
data_preprocessor = dict(num_classes=100, **_base_.image_statistics)
