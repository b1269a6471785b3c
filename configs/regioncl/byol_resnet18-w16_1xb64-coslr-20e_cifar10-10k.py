# 20 epochs, as for SimSiam. See benchmarks/learning_cifar10.md.
_base_ = 'mocov2_resnet18-w16_1xb64-coslr-10e_cifar10-10k.py'

# MMSelfSup's projector and predictor: the hidden layer has twice the outputs
projector = dict(
    type='NonLinearNeck',
    in_channels=128,
    hid_channels=256,
    out_channels=128,
    with_bias=True,
    with_last_bn=False,
    norm_cfg=dict(type='BN1d'))
model = dict(
    _delete_=True,
    type='BYOL',
    base_momentum=_base_.model.momentum,
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    neck=projector,
    head=dict(
        type='LatentPredictHead',
        loss=dict(type='CosineSimilarityLoss'),
        predictor=dict(projector, with_avg_pool=False)))

param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=20, by_epoch=True, begin=0, end=20)
]
train_cfg = dict(max_epochs=20)
