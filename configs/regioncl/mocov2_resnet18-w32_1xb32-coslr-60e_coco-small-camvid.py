# The 566 training images of the small recipes in configs/benchmarks, for two
# CPU cores: half width, views of 128 pixels, and the learning rate of the
# other small data sets, 0.06 for a batch of 128
_base_ = [
    '../_base_/models/mocov2.py',
    '../_base_/datasets/imagenet_mocov2.py',
    '../_base_/schedules/sgd_coslr-200e_in1k.py',
    '../_base_/default_runtime.py',
]

model = dict(
    queue_len=256,  # less than half of the images
    momentum=__import__('mmregioncl').host.kept(0.99),
    backbone=dict(depth=18, stem_channels=32, base_channels=32),
    neck=dict(in_channels=256, hid_channels=256))

train_pipeline = _base_.train_pipeline
train_pipeline[1].transforms[0][0].size = 128
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                type='mmregioncl.ImageFolder',
                data_root=data_root,
                pipeline=train_pipeline)
            for data_root in ('data/coco_small/images/train',
                              'data/camvid/img_dir/train')
        ]))

optim_wrapper = dict(optimizer=dict(lr=0.015))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=60, by_epoch=True, begin=0, end=60)
]
train_cfg = dict(max_epochs=60)
