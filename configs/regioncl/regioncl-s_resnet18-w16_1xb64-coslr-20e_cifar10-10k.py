_base_ = 'simsiam_resnet18-w16_1xb64-coslr-20e_cifar10-10k.py'

model = dict(
    type='mmregioncl.RegionCLSimSiam',
    neck=dict(type='mmregioncl.RegionNonLinearNeck'),
    head=dict(type='mmregioncl.RegionLatentPredictHead'),
    # Two fifths of the 4x4 cells on average; officially a third of 7x7
    region_swap=dict(type='mmregioncl.RegionSwap', size=(2, 3), stride=8))
