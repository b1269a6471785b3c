_base_ = [
    'mmseg::_base_/models/upernet_swin.py',
    '../_base_/datasets/cityscapes.py',
    'mmseg::_base_/default_runtime.py',
    '../_base_/schedules/adamw_40k.py',
]

model = dict(data_preprocessor=dict(size=(512, 1024)))

# The norms of the first three maps, which pre-training has not
default_hooks = dict(pretrained=dict(new=r'norm[012]\.'))
