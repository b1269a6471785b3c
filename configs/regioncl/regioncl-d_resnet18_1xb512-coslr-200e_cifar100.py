_base_ = 'densecl_resnet18_1xb512-coslr-200e_cifar100.py'

model = dict(
    type='mmregioncl.RegionCLDenseCL',
    # As much as DenseCL's halved instance loss: benchmarks/learning_cifar10.md
    region_weight=0.5)
