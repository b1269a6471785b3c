_base_ = 'densecl_resnet18_1xb512-coslr-200e_cifar100.py'

model = dict(
    type='mmregioncl.RegionCLDenseCL',
    neck=dict(type='mmregioncl.RegionDenseCLNeck'),
    head=dict(type='mmregioncl.RegionContrastiveHead'),
    # Two fifths of the 4x4 cells on average; officially a third of 7x7
    region_swap=dict(type='mmregioncl.RegionSwap', size=(2, 3), stride=8),
    # As much as DenseCL's halved instance loss: benchmarks/learning_cifar10.md
    region_weight=0.5)
