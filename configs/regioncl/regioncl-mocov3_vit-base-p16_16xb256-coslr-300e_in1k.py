_base_ = 'regioncl-mocov3_vit-small-p16_16xb256-coslr-300e_in1k.py'

model = dict(backbone=dict(arch='base'), neck=dict(in_channels=768))
