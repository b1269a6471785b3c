# SimSiam hardly learns in the 10 epochs of the other twins; see
# benchmarks/learning_cifar10.md.
_base_ = 'mocov2_resnet18-w16_1xb64-coslr-10e_cifar10-10k.py'

model = dict(
    _delete_=True,
    type='SimSiam',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    # Projector and predictor of lightly's CIFAR-10 benchmark, at quarter width
    neck=dict(
        type='NonLinearNeck',
        in_channels=128,
        hid_channels=512,
        out_channels=512,
        norm_cfg=dict(type='BN1d')),
    head=dict(
        type='LatentPredictHead',
        loss=dict(type='CosineSimilarityLoss'),
        predictor=dict(
            type='NonLinearNeck',
            in_channels=512,
            hid_channels=128,
            out_channels=512,
            with_avg_pool=False,
            with_last_bn=False,
            with_last_bias=True,
            norm_cfg=dict(type='BN1d'))))

param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=50, by_epoch=True, begin=0, end=50)
]
train_cfg = dict(max_epochs=50)
