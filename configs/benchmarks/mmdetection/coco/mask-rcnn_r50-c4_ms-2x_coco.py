_base_ = [
    '../_base_/models/mask-rcnn_r50_c4.py',
    '../_base_/datasets/coco_instance_1200.py',
    '../_base_/schedules/sgd_180k.py',
    '../_base_/c4_runtime.py',
]
