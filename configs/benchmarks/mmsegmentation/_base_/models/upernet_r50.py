_base_ = 'mmseg::_base_/models/upernet_r50.py'

# The plain stem of pre-training, where mmseg has three convolutions (V1c)
model = dict(pretrained=None, backbone=dict(type='ResNet'))
