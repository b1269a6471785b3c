_base_ = 'ccrop-simclr.py'

projector = dict(
    type='NonLinearNeck',
    in_channels=512,
    hid_channels=512,
    out_channels=128,
    with_bias=True,
    with_last_bn=False,
    norm_cfg=dict(type='BN1d'))
model = dict(
    type='BYOL',
    # The momentum, 0.996, is constant in the released code; here it rises to 1
    # along a cosine.
    neck=dict(_delete_=True, **projector),
    head=dict(
        _delete_=True,
        type='LatentPredictHead',
        loss=dict(type='CosineSimilarityLoss'),
        predictor=dict(projector, in_channels=128, with_avg_pool=False)))
