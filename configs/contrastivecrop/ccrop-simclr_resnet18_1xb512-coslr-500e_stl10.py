_base_ = [
    '../_base_/models/ccrop-simclr.py',
    '../_base_/datasets/stl10_ccrop.py',
    '../_base_/schedules/sgd_coslr-500e_ccrop.py',
    '../_base_/labelled_ccrop_runtime.py',
]

model = dict(data_preprocessor=_base_.image_statistics)
