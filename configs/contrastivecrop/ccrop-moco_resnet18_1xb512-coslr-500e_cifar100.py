_base_ = [
    '../_base_/models/ccrop-moco.py',
    '../_base_/datasets/cifar100_ccrop.py',
    '../_base_/schedules/sgd_coslr-500e_ccrop.py',
    '../_base_/labelled_ccrop_runtime.py',
]

model = dict(data_preprocessor=_base_.image_statistics)
