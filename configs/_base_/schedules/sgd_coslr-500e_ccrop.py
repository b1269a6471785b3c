# ContrastiveCrop on small images, for a batch of 512
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.5, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=500,
        eta_min=0.05,
        by_epoch=True,
        begin=0,
        end=500)
]
train_cfg = dict(type='mmregioncl.SeededTrainLoop', max_epochs=500)
