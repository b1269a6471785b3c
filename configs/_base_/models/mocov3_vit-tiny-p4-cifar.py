_base_ = 'mocov3_vit-small-p16.py'

# ViT-Ti on patches of 4 pixels: 8x8 in an image of 32
model = dict(
    data_preprocessor=dict(
        mean=(125.3, 123.0, 113.9),  # of the images of CIFAR-10, RGB
        std=(63.0, 62.1, 66.7)),
    backbone=dict(
        _delete_=True,
        type='MoCoV3ViT',
        arch=dict(
            embed_dims=192,
            num_layers=12,
            num_heads=3,
            feedforward_channels=768),
        img_size=32,
        patch_size=4,
        stop_grad_conv1=True),
    neck=dict(in_channels=192, hid_channels=512, norm_cfg=dict(type='BN1d')),
    head=dict(predictor=dict(hid_channels=512, norm_cfg=dict(type='BN1d'))))
