_base_ = 'mmseg::_base_/models/fcn_r50-d8.py'

# The plain stem, as in pre-training; mmseg's has three convolutions (V1c).
model = dict(pretrained=None, backbone=dict(type='ResNet'))
