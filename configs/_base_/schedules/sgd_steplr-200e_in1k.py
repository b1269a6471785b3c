_base_ = 'sgd_coslr-200e_in1k.py'

param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[120, 160], gamma=0.1)
]
