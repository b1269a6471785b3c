_base_ = [
    '../_base_/models/upernet_r50.py',
    '../_base_/datasets/cityscapes.py',
    'mmseg::_base_/default_runtime.py',
    '../_base_/schedules/sgd_40k.py',
]

model = dict(data_preprocessor=dict(size=(512, 1024)))
