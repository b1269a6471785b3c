_base_ = 'densecl_resnet50_8xb32-coslr-800e_coco.py'

model = dict(type='mmregioncl.RegionCLDenseCL')
