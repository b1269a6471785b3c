_base_ = 'mmseg::_base_/models/upernet_r50.py'

# The plain stem, as in pre-training; mmseg's has three convolutions (V1c).
model = dict(pretrained=None, backbone=dict(type='ResNet'))
