# MoCo's linear classifier, also in the official logs of RegionCL-M
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=30., momentum=0.9, weight_decay=0.))
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[60, 80], gamma=0.1)
]
train_cfg = dict(
    type='mmregioncl.SeededTrainLoop', max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()
