_base_ = 'sgd_coslr-200e_in1k.py'

# lightly's CIFAR-10 benchmark: 0.06 x 512 / 128
optim_wrapper = dict(optimizer=dict(lr=0.24, weight_decay=5e-4))
