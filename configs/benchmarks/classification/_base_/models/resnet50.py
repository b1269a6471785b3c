# mmcls's ResNet-50 with a linear head, which takes any backbone's features
model = dict(
    type='FeatureClassifier',
    backbone=dict(type='ResNet', depth=50, zero_init_residual=True),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=2048,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)))
