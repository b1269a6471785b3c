# Baseline of ccrop-simclr_resnet18_1xb512-coslr-500e_stl10.py
_base_ = [
    '../_base_/models/ccrop-simclr.py',
    '../_base_/datasets/stl10_mocov2.py',
    '../_base_/schedules/sgd_coslr-500e_ccrop.py',
    '../_base_/labelled_runtime.py',
]

model = dict(data_preprocessor=_base_.image_statistics)
