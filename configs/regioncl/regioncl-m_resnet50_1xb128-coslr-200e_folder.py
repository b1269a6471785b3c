_base_ = 'regioncl-m_resnet50_8xb128-coslr-200e_in1k.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmregioncl.ImageFolder',
        data_root='data/images',  # any folder of images: set it to yours
        pipeline=_base_.train_pipeline))

# Fewer negatives than images. Otherwise an image would meet its own old keys.
model = dict(queue_len=16384)

# The official 0.15 for a batch of 1024, scaled to 128
optim_wrapper = dict(optimizer=dict(lr=0.15 / 8))
