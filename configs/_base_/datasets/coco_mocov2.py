_base_ = 'imagenet_mocov2.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmregioncl.ImageFolder',  # 118,287 images, no annotations
        data_root='data/coco/train2017',
        pipeline=_base_.train_pipeline))
