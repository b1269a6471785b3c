_base_ = 'mocov2_resnet18-w16_1xb64-coslr-10e_cifar10-10k.py'

# A projector of MoCo v2's size, with SimCLR's batch norm
model = dict(
    _delete_=True,
    type='SimCLR',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    neck=dict(
        type='NonLinearNeck',
        in_channels=128,
        hid_channels=128,
        out_channels=128,
        norm_cfg=dict(type='BN1d')),
    head=dict(
        type='ContrastiveHead',
        loss=dict(type='CrossEntropyLoss'),
        temperature=0.5))  # lightly's CIFAR-10 benchmark
