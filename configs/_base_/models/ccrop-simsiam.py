_base_ = 'ccrop-simclr.py'

projector = dict(
    type='NonLinearNeck',
    in_channels=512,
    hid_channels=512,
    out_channels=512,
    norm_cfg=dict(type='BN1d'))
model = dict(
    type='SimSiam',
    backbone=dict(zero_init_residual=True),
    neck=dict(
        _delete_=True, **projector, num_layers=3, with_last_bn_affine=False),
    head=dict(
        _delete_=True,
        type='LatentPredictHead',
        loss=dict(type='CosineSimilarityLoss'),
        predictor=dict(
            projector,
            hid_channels=128,
            with_avg_pool=False,
            with_last_bn=False,
            with_last_bias=True)))
