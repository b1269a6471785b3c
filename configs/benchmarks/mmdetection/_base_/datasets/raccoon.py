# One class on 160 images of at most 384 pixels, for two CPU cores
_base_ = 'coco_detection.py'

data_root = 'data/raccoon/'
raccoon = dict(
    data_root=data_root,
    metainfo=dict(classes=('raccoon', )),
    data_prefix=dict(img='images/'))

train_pipeline = _base_.train_pipeline
train_pipeline[2].scales = [(384, side) for side in range(192, 257, 32)]
train_dataloader = dict(
    batch_size=4,
    dataset=dict(**raccoon, ann_file='train.json', pipeline=train_pipeline))
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = (384, 256)
val_dataloader = dict(
    dataset=dict(**raccoon, ann_file='val.json', pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'val.json')
test_evaluator = val_evaluator
