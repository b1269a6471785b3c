_base_ = 'densecl_resnet18-w16_1xb64-coslr-10e_cifar10-10k.py'

model = dict(
    type='mmregioncl.RegionCLDenseCL',
    # As much as DenseCL's halved instance loss: benchmarks/learning_cifar10.md
    region_weight=0.5)
