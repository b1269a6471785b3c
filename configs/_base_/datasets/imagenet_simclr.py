_base_ = 'mmselfsup::selfsup/_base_/datasets/imagenet_simclr.py'

train_pipeline = [
    dict(type='mmregioncl.LoadImage'),
    _base_.train_pipeline[1],
    dict(type='PackSelfSupInputs'),
]
train_dataloader = dict(
    drop_last=True,  # regions swap within pairs of images
    pin_memory=True,
    dataset=dict(pipeline=train_pipeline))
