_base_ = '../../../../_base_/datasets/cifar10_mocov2.py'

# As in ContrastiveCrop
train_pipeline = [
    dict(type='mmregioncl.RandomResizedCrop', size=32, backend='pillow'),
    dict(type='mmregioncl.RandomFlip', prob=0.5),
    dict(type='PackClsInputs'),
]
test_pipeline = [dict(type='PackClsInputs')]

train_dataloader = dict(drop_last=False, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=512,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(_base_.eval_datasets.test, pipeline=test_pipeline))
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator

# Used in pre-training only
eval_datasets = dict(_delete_=True)
