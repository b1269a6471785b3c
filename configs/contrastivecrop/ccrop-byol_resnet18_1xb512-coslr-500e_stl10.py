# Not released: CIFAR's recipe on this data
_base_ = [
    '../_base_/models/ccrop-byol.py',
    '../_base_/datasets/stl10_ccrop.py',
    '../_base_/schedules/sgd_coslr-500e_ccrop.py',
    '../_base_/labelled_ccrop_runtime.py',
]

model = dict(data_preprocessor=_base_.image_statistics)
