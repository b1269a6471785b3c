_base_ = 'mask-rcnn_r50_fpn_ms-1x_coco.py'

# Backbone and optimizer as in MMDetection's config of Swin-T
model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        drop_path_rate=0.2,
        out_indices=(0, 1, 2, 3)),
    neck=dict(in_channels=[96, 192, 384, 768]))
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(
        custom_keys=dict(relative_position_bias_table=dict(decay_mult=0.))))

# The norms of the first three maps, which pre-training has not
default_hooks = dict(pretrained=dict(new=r'norm[012]\.'))
