_base_ = 'linear_steplr-100e.py'

# SimSiam's linear classifier, for a batch of 4096
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='LARS', lr=1.6, momentum=0.9, weight_decay=0.))
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=90, begin=0, end=90)
]
train_cfg = dict(max_epochs=90)
