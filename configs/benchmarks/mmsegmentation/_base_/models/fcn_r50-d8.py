_base_ = 'mmseg::_base_/models/fcn_r50-d8.py'

# The plain stem of pre-training, where mmseg has three convolutions (V1c)
model = dict(pretrained=None, backbone=dict(type='ResNet'))
