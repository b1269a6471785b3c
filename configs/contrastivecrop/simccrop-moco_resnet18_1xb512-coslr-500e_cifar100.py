_base_ = 'moco_resnet18_1xb512-coslr-500e_cifar100.py'

# One fixed box for all images: no hook is needed.
train_pipeline = _base_.train_pipeline
train_pipeline[-2].transforms[0][0].update(
    type='mmregioncl.ContrastiveCrop',
    alpha=0.1,
    fixed_box=(.25, .25, .75, .75))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
