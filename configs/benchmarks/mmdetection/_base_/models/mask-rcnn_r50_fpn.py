_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'

# Nothing is frozen, the heads have no norm, and objects without a good box do
# not take a bad one, as in detectron2.
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    backbone=dict(
        frozen_stages=-1, norm_cfg=norm_cfg, norm_eval=False, init_cfg=None),
    neck=dict(norm_cfg=norm_cfg),
    train_cfg=dict(rcnn=dict(assigner=dict(match_low_quality=False))))
