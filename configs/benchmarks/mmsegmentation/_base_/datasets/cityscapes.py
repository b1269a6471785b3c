_base_ = 'mmseg::_base_/datasets/cityscapes.py'

train_dataloader = dict(sampler=dict(type='mmregioncl.SeededInfiniteSampler'))
