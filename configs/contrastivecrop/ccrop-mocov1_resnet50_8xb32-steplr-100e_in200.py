_base_ = 'mocov1_resnet50_8xb32-steplr-100e_in200.py'

train_pipeline = _base_.train_pipeline
train_pipeline[-2].transforms[0][0].update(
    type='mmregioncl.ContrastiveCrop', alpha=0.6)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
default_hooks = dict(boxes=dict(type='mmregioncl.SemanticLocalizationHook'))
