_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'

# As in detectron2: nothing is frozen, the heads have no norm, and an object
# without a good box is not matched to a bad one.
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    backbone=dict(
        frozen_stages=-1, norm_cfg=norm_cfg, norm_eval=False, init_cfg=None),
    neck=dict(norm_cfg=norm_cfg),
    train_cfg=dict(rcnn=dict(assigner=dict(match_low_quality=False))))
