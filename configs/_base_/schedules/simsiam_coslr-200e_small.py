_base_ = 'mmselfsup::selfsup/_base_/schedules/sgd_coslr-200e_in1k.py'

# lightly's CIFAR-10 benchmark, for batches of 128 and of 512; the predictor
# keeps its learning rate (SimSiam, Appendix), by SimSiamHook
optim_wrapper = dict(
    optimizer=dict(lr=0.06, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys={'predictor': dict(fix_lr=True)}))
