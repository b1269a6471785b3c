_base_ = 'mocov2_resnet18-w32_1xb32-coslr-60e_coco-small-camvid.py'

model = dict(
    type='mmregioncl.RegionCLMoCo',
    neck=dict(type='mmregioncl.RegionMoCoV2Neck'),
    head=dict(type='mmregioncl.RegionContrastiveHead'),
    # As on CIFAR-10: two fifths of the 4x4 cells on average
    region_swap=dict(type='mmregioncl.RegionSwap', size=(2, 3)))
