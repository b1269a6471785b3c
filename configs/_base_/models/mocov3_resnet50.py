_base_ = 'simsiam.py'

# MoCo v3 on ResNet-50, as in MMPretrain
projector = dict(
    type='NonLinearNeck',
    in_channels=2048,
    hid_channels=4096,
    out_channels=256,
    num_layers=2,
    with_last_bn_affine=False)
model = dict(
    type='MoCoV3',
    base_momentum=__import__('mmregioncl').host.kept(0.99),
    backbone=dict(zero_init_residual=False),
    neck=dict(_delete_=True, **projector),
    head=dict(
        _delete_=True,
        type='MoCoV3Head',
        predictor=dict(
            projector,
            in_channels=256,
            with_avg_pool=False,
            with_last_bn=False),
        loss=dict(type='CrossEntropyLoss', loss_weight=2.0),  # twice T
        temperature=1.0))
