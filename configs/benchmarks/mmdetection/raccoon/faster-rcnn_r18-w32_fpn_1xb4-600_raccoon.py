# A small recipe for two CPU cores: one class, 160 training images
_base_ = [
    '../_base_/models/mask-rcnn_r18-w32_fpn.py',
    '../_base_/datasets/raccoon.py',
    '../_base_/schedules/sgd_600.py',
    '../_base_/default_runtime.py',
]

# The boxes alone
model = dict(
    type='FasterRCNN',
    data_preprocessor=dict(pad_mask=False),
    roi_head=dict(
        bbox_head=dict(num_classes=1), mask_roi_extractor=None,
        mask_head=None))

default_hooks = dict(checkpoint=dict(interval=600))
