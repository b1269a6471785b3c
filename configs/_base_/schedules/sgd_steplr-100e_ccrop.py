_base_ = 'sgd_steplr-200e_in1k.py'

# ContrastiveCrop on ImageNet with MoCo v1. The released factor is 0, with
# which the last 40 epochs train nothing; MoCo's own is 0.1.
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[60, 80], gamma=0.1)
]
train_cfg = dict(max_epochs=100)
