# Views are made of whole batches on the GPU; the loader packs images alone
_base_ = 'mocov2_resnet18_1xb512-coslr-200e_cifar10.py'

model = dict(
    data_preprocessor=dict(
        views=dict(num_views=2, transforms=[_base_.view_pipeline])))
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type='mmregioncl.PackSeededInputs')]))
