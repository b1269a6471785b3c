_base_ = 'densecl_resnet18-w32_1xb64-coslr-10e_tiny-imagenet.py'

model = dict(
    type='mmregioncl.RegionCLDenseCL',
    # As much as DenseCL's halved instance loss: benchmarks/learning_cifar10.md
    region_weight=0.5)
