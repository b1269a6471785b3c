_base_ = [
    'mmselfsup::selfsup/_base_/schedules/sgd_coslr-200e_in1k.py',
    '../labelled_runtime.py',
]

lr = 0.06  # lightly's CIFAR-10 benchmark, for batches of 128 and of 512
optim_wrapper = dict(
    optimizer=dict(lr=lr, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys={'predictor': dict(fix_lr=True)}))

# The predictor keeps its learning rate (SimSiam, Appendix A).
custom_hooks = [
    dict(type='SimSiamHook', priority='HIGH', fix_pred_lr=True, lr=lr)
]
