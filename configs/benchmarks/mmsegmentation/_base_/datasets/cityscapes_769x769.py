_base_ = 'mmseg::_base_/datasets/cityscapes_769x769.py'

train_dataloader = dict(sampler=dict(type='mmregioncl.SeededInfiniteSampler'))
