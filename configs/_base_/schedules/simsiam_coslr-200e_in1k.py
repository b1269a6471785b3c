_base_ = 'sgd_coslr-200e_in1k.py'

lr = 0.05  # SimSiam's, for a batch of 256
optim_wrapper = dict(
    optimizer=dict(lr=lr),
    paramwise_cfg=dict(custom_keys={'predictor': dict(fix_lr=True)}))

# The predictor keeps its learning rate (SimSiam, Appendix A).
custom_hooks = [
    dict(type='SimSiamHook', priority='HIGH', fix_pred_lr=True, lr=lr)
]
