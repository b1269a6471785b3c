_base_ = 'simsiam_coslr-200e_in1k.py'

lr = 0.06  # lightly's CIFAR-10 benchmark, for batches of 128 and of 512
optim_wrapper = dict(optimizer=dict(lr=lr, weight_decay=5e-4))
custom_hooks = [
    dict(type='SimSiamHook', priority='HIGH', fix_pred_lr=True, lr=lr)
]
