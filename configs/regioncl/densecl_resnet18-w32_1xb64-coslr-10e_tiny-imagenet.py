_base_ = 'mocov2_resnet18-w32_1xb64-coslr-10e_tiny-imagenet.py'

model = dict(
    type='DenseCL',
    neck=dict(
        _delete_=True,
        type='DenseCLNeck',
        in_channels=256,
        hid_channels=256,
        out_channels=128))
