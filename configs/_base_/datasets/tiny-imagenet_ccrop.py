_base_ = 'tiny-imagenet_mocov2.py'

train_pipeline = _base_.train_pipeline
train_pipeline[-2].transforms[0][0].update(
    type='mmregioncl.ContrastiveCrop', alpha=0.1)  # the paper: 0.6
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
