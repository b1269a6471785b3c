_base_ = 'sgd_coslr-500e_ccrop.py'

# The predictor keeps its learning rate (SimSiam, Appendix A).
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'predictor': dict(fix_lr=True)}))
custom_hooks = [
    dict(type='SimSiamHook', priority='HIGH', fix_pred_lr=True, lr=0.5)
]
