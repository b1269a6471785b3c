# A folder of a few hundred images, in minutes on two CPU cores
_base_ = 'regioncl-m_resnet18-w32_1xb32-coslr-60e_coco-small-camvid.py'

model = dict(queue_len=128)  # fewer than the images

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmregioncl.ImageFolder',
        data_root='data/images',  # set it to yours
        pipeline=_base_.train_pipeline))
