_base_ = 'mmseg::_base_/datasets/pascal_voc12_aug.py'

train_dataloader = dict(sampler=dict(type='mmregioncl.SeededInfiniteSampler'))
