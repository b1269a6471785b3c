_base_ = 'mmselfsup::selfsup/_base_/datasets/imagenet_byol.py'

_, views, pack = _base_.train_pipeline
train_dataloader = dict(
    drop_last=True,  # regions swap within pairs of images
    dataset=dict(pipeline=[dict(type='mmregioncl.LoadImage'), views, pack]))
