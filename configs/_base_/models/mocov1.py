_base_ = 'mocov2.py'

model = dict(
    neck=dict(
        _delete_=True,
        type='mmregioncl.LinearNeck',
        in_channels=2048,
        out_channels=128),
    head=dict(temperature=0.07))
