_base_ = 'mocov2_resnet18-w32_1xb32-coslr-60e_coco-small-camvid.py'

model = dict(type='mmregioncl.RegionCLMoCo')
