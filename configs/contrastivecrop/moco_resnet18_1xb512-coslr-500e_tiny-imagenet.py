# The twin of ccrop-moco_resnet18_1xb512-coslr-500e_tiny-imagenet.py
# Not released: the recipe of CIFAR with this data.
_base_ = [
    '../_base_/models/ccrop-moco.py',
    '../_base_/datasets/tiny-imagenet_mocov2.py',
    '../_base_/schedules/sgd_coslr-500e_ccrop.py',
]

model = dict(data_preprocessor=_base_.image_statistics)
