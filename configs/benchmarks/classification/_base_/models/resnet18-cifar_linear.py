_base_ = '../../../../_base_/models/mocov2_resnet18-cifar.py'

statistics = _base_.model.data_preprocessor
data_preprocessor = dict(
    num_classes=10, mean=statistics.mean, std=statistics.std, to_rgb=True)
model = dict(
    _delete_=True,
    type='FeatureClassifier',
    backbone=_base_.model.backbone,
    frozen=True,
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=512,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)))
