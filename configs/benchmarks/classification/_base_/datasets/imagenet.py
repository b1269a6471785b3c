# As mmcls's, on this package's fast transforms. Without persistent workers,
# every epoch repeats the random numbers of the first.
data_preprocessor = dict(
    num_classes=1000,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmregioncl.RandomResizedCrop', size=224, backend='pillow'),
    dict(type='mmregioncl.RandomFlip', prob=0.5),
    dict(type='PackClsInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackClsInputs'),
]

imagenet = dict(type='ImageNet', data_root='data/imagenet')
loader = dict(batch_size=32, num_workers=5, persistent_workers=True)
train_dataloader = dict(
    **loader,
    pin_memory=True,
    sampler=dict(type='mmregioncl.SeededSampler', shuffle=True),
    dataset=dict(
        **imagenet,
        ann_file='meta/train.txt',
        data_prefix='train',
        pipeline=train_pipeline))
val_dataloader = dict(
    **loader,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **imagenet,
        ann_file='meta/val.txt',
        data_prefix='val',
        pipeline=test_pipeline))
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
