# Needs MMPose 1.x: pip install mmpose
_base_ = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py'  # noqa: E501

model = dict(backbone=dict(init_cfg=None))

default_hooks = dict(pretrained=dict(type='mmregioncl.PretrainedHook'))
