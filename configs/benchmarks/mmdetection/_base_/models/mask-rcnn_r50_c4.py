_base_ = 'mmdet::_base_/models/mask-rcnn_r50-caffe-c4.py'

# An extra batch norm follows the last stage, since no other of the head has
# learned the scale of its features. Either host has that layer.
custom_imports = dict(
    imports=__import__('mmregioncl').host.NAME +
    '.models.utils.res_layer_extra_norm')

norm_cfg = dict(type='SyncBN', requires_grad=True)
resnet = dict(norm_cfg=norm_cfg, norm_eval=False, style='pytorch')
model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    backbone=dict(frozen_stages=-1, init_cfg=None, **resnet),
    roi_head=dict(shared_head=dict(type='ResLayerExtraNorm', **resnet)),
    # Anchors beyond the image count as well, as in detectron2.
    train_cfg=dict(rpn=dict(allowed_border=-1)))
