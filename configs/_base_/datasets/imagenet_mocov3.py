_base_ = 'imagenet_byol.py'

# MoCo v3's views are BYOL's, but for the interpolation. Its ResNet-50 takes
# scale=(0.2, 1.).
view_pipeline1 = _base_.view_pipeline1
view_pipeline1[0].interpolation = 'bilinear'
view_pipeline2 = _base_.view_pipeline2
view_pipeline2[0].interpolation = 'bilinear'

train_pipeline = [
    dict(type='mmregioncl.LoadImage'),
    dict(
        type='mmregioncl.MultiView',
        num_views=[1, 1],
        transforms=[view_pipeline1, view_pipeline2]),
    dict(type='mmregioncl.PackSelfSupInputs'),
]
train_dataloader = dict(
    batch_size=256, num_workers=8, dataset=dict(pipeline=train_pipeline))
