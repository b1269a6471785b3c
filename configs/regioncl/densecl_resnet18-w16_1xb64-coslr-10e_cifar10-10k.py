_base_ = 'mocov2_resnet18-w16_1xb64-coslr-10e_cifar10-10k.py'

model = dict(
    type='DenseCL',
    neck=dict(
        _delete_=True,
        type='DenseCLNeck',
        in_channels=128,
        hid_channels=128,
        out_channels=128))
