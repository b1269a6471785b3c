# With the budget of the SimSiam twin
_base_ = 'simsiam_resnet18-w16_1xb64-coslr-20e_cifar10-10k.py'

model = dict(type='BYOL', base_momentum=0.99)
