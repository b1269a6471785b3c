_base_ = 'simsiam.py'

# Projector and predictor of lightly's CIFAR-10 benchmark
model = dict(
    data_preprocessor=dict(
        mean=(125.3, 123.0, 113.9),  # of the images of CIFAR-10, RGB
        std=(63.0, 62.1, 66.7)),
    backbone=dict(
        _delete_=True, type='ResNet_CIFAR', depth=18,
        zero_init_residual=False),
    neck=dict(
        in_channels=512,
        num_layers=2,
        with_last_bn_affine=True,
        norm_cfg=dict(type='BN1d')),
    head=dict(predictor=dict(norm_cfg=dict(type='BN1d'))))
