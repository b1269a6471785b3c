_base_ = 'sgd_40k.py'

# MMSegmentation's for Swin and ViT on ADE20K, with a quarter of the steps
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=6e-5, weight_decay=0.01),
    paramwise_cfg=dict(
        norm_decay_mult=0.,
        custom_keys={
            name: dict(decay_mult=0.)
            for name in ('cls_token', 'pos_embed',
                         'relative_position_bias_table')
        }))
param_scheduler = [
    dict(
        type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', eta_min=0., by_epoch=False, begin=1500, end=40000),
]
