_base_ = 'coco_detection.py'

# MMDetection leaves difficult objects out of training, detectron2 does not.
train_pipeline = _base_.train_pipeline
train_pipeline[2].scales = [(1333, side) for side in range(480, 801, 32)]
folder = dict(
    type='VOCDataset',
    data_root='data/VOCdevkit/',
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=train_pipeline)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        # The one entry of the metainfo in which the two years differ
        ignore_keys=['dataset_type'],
        datasets=[
            dict(
                ann_file=f'VOC{year}/ImageSets/Main/trainval.txt',
                data_prefix=dict(sub_data_root=f'VOC{year}/'),
                **folder) for year in (2007, 2012)
        ]))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='VOCDataset',
        data_root='data/VOCdevkit/',
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        test_mode=True,
        pipeline={{_base_.test_pipeline}}))
test_dataloader = val_dataloader
# AP is the mean over ten thresholds, as detectron2 gives it for VOC.
val_evaluator = dict(
    _delete_=True,
    type='VOCMetric',
    metric='mAP',
    eval_mode='11points',
    iou_thrs=[0.5 + 0.05 * i for i in range(10)])
test_evaluator = val_evaluator
