# The twin of regioncl-m_resnet18_1xb512-coslr-200e_cifar10.py
_base_ = [
    '../_base_/models/mocov2_resnet18-cifar.py',
    '../_base_/datasets/cifar10_mocov2.py',
    'mmselfsup::selfsup/_base_/schedules/sgd_coslr-200e_in1k.py',
    '../_base_/default_runtime.py',
]

# lightly's CIFAR-10 benchmark: 0.06 x 512 / 128
optim_wrapper = dict(optimizer=dict(lr=0.24, weight_decay=5e-4))
