_base_ = [
    '../_base_/models/resnet18-cifar_linear.py',
    '../_base_/datasets/stl10.py',
    '../_base_/schedules/linear_steplr-100e_small.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = _base_.image_statistics
