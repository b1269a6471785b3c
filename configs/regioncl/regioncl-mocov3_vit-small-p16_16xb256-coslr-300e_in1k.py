_base_ = [
    '../_base_/models/mocov3_vit-small-p16.py',
    '../_base_/datasets/imagenet_mocov3.py',
    '../_base_/schedules/adamw_coslr-300e_in1k.py',
    '../_base_/default_runtime.py',
]

# MMPretrain's recipe of MoCo v3, with regions of 6 to 10 of 14 patches
model = dict(type='mmregioncl.RegionCLMoCoV3')
