_base_ = [
    '../_base_/models/mocov3_resnet50.py',
    '../_base_/datasets/imagenet_mocov3.py',
    '../_base_/schedules/lars_coslr-200e_no-decay.py',
    '../_base_/default_runtime.py',
]

# MMPretrain's recipe of MoCo v3
model = dict(type='mmregioncl.RegionCLMoCoV3')

train_pipeline = _base_.train_pipeline
for view_pipeline in train_pipeline[1].transforms:
    view_pipeline[0].scale = (0.2, 1.)
train_dataloader = dict(batch_size=512, dataset=dict(pipeline=train_pipeline))

optim_wrapper = dict(optimizer=dict(lr=9.6))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(
        type='CosineAnnealingLR',
        T_max=90,
        by_epoch=True,
        begin=10,
        end=100,
        convert_to_iter_based=True)
]
train_cfg = dict(max_epochs=100)
