# SimCLR as in ContrastiveCrop's code: the projector has no batch norm
model = dict(
    type='SimCLR',
    data_preprocessor=dict(
        type='mmregioncl.SelfSupDataPreprocessor',
        mean=(125.3, 123.0, 113.9),  # as released for CIFAR-10, RGB
        std=(51.6, 50.8, 51.3),
        bgr_to_rgb=True),
    backbone=dict(type='ResNet_CIFAR', depth=18, zero_init_residual=False),
    neck=dict(
        type='MoCoV2Neck', in_channels=512, hid_channels=512,
        out_channels=128),
    head=dict(
        type='ContrastiveHead',
        # Its loss is T / 0.07 times NT-Xent; the learning rate relies on it
        loss=dict(type='CrossEntropyLoss', loss_weight=0.5 / 0.07),
        temperature=0.5))
