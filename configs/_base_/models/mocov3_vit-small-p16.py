_base_ = 'mocov3_resnet50.py'

# MoCoV3ViT freezes its position embedding when it is initialized, which is
# after DistributedDataParallel has counted the weights that learn.
find_unused_parameters = True

# MoCo v3 on ViT-S/16 with a frozen patch embedding, as in MMPretrain
model = dict(
    backbone=dict(
        _delete_=True,
        type='MoCoV3ViT',
        arch='mocov3-small',
        img_size=224,
        patch_size=16,
        stop_grad_conv1=True),
    # Takes the class token under either host
    neck=dict(
        type='mmregioncl.RegionMoCoV3Neck',
        in_channels=384,
        num_layers=3,
        with_avg_pool=False),
    head=dict(
        predictor=dict(with_last_bn=True),
        loss=dict(loss_weight=0.4),  # twice T
        temperature=0.2))
