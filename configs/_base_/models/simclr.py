_base_ = 'simsiam.py'

# SimCLR, as in MMSelfSup
model = dict(
    type='SimCLR',
    neck=dict(
        _delete_=True,
        type='NonLinearNeck',
        in_channels=2048,
        hid_channels=2048,
        out_channels=128),
    head=dict(
        _delete_=True,
        type='ContrastiveHead',
        loss=dict(type='CrossEntropyLoss'),
        temperature=0.1))
