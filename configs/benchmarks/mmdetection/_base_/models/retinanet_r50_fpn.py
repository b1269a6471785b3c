_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'

# Nothing is frozen, and the head has no norm. P6 and P7 have one, unlike
# detectron2's: MMDetection's FPN treats all its convolutions alike.
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    backbone=dict(
        frozen_stages=-1, norm_cfg=norm_cfg, norm_eval=False, init_cfg=None),
    neck=dict(norm_cfg=norm_cfg, relu_before_extra_convs=True))
