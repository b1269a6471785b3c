_base_ = 'simsiam.py'

# BYOL, as in MMSelfSup
projector = dict(
    type='NonLinearNeck',
    in_channels=2048,
    hid_channels=4096,
    out_channels=256,
    with_bias=True,
    with_last_bn=False)
model = dict(
    type='BYOL',
    base_momentum=__import__('mmregioncl').host.kept(0.99),
    backbone=dict(zero_init_residual=False),
    neck=dict(_delete_=True, **projector),
    head=dict(
        predictor=dict(
            _delete_=True,
            **dict(projector, in_channels=256, with_avg_pool=False))))
