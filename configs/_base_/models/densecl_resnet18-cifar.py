_base_ = 'mocov2_resnet18-cifar.py'

model = dict(
    type='DenseCL',
    neck=dict(
        _delete_=True,
        type='DenseCLNeck',
        in_channels=512,
        hid_channels=512,
        out_channels=128))
