_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

# As mask-rcnn_r50_fpn.py
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    backbone=dict(
        frozen_stages=-1, norm_cfg=norm_cfg, norm_eval=False, init_cfg=None),
    neck=dict(norm_cfg=norm_cfg))
