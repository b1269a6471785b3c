_base_ = [
    '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/linear_lars-coslr-90e.py',
    '../_base_/default_runtime.py',
]

# The linear classifier of MoCo v3, on the class token
model = dict(
    frozen=True,
    backbone=dict(
        _delete_=True,
        type='MoCoV3ViT',
        arch='mocov3-small',
        img_size=224,
        patch_size=16),
    head=dict(in_channels=384))
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='SGD', lr=12., momentum=0.9, weight_decay=0.))
