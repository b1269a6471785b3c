# Needs MMPose 1.x: pip install mmpose
_base_ = 'mmpose::animal_2d_keypoint/topdown_heatmap/ap10k/td-hm_res50_8xb64-210e_ap10k-256x256.py'  # noqa: E501

model = dict(backbone=dict(init_cfg=None))

default_hooks = dict(pretrained=dict(type='mmregioncl.PretrainedHook'))
