_base_ = 'default_runtime.py'

custom_hooks = [
    dict(type='mmregioncl.GuardHook'),
    dict(type='SimSiamHook', priority='HIGH', fix_pred_lr=True, lr=0.06)
]
