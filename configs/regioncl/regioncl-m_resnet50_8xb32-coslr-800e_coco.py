_base_ = 'mocov2_resnet50_8xb32-coslr-800e_coco.py'

model = dict(type='mmregioncl.RegionCLMoCo')
