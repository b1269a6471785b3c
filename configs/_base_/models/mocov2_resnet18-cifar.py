_base_ = 'mocov2.py'

# Temperature, momentum, queue and neck of lightly's CIFAR-10 benchmark, but
# without its split batch norm and symmetric loss
model = dict(
    queue_len=8192,  # for a batch of 512; less than the 50,000 images
    momentum=__import__('mmregioncl').host.kept(0.99),
    data_preprocessor=dict(
        mean=(125.3, 123.0, 113.9),  # of the images of CIFAR-10, RGB
        std=(63.0, 62.1, 66.7)),
    backbone=dict(
        _delete_=True,
        type='ResNet_CIFAR',  # 3x3 stem without pooling: stride 8
        depth=18,
        zero_init_residual=False),
    neck=dict(in_channels=512, hid_channels=512),
    head=dict(temperature=0.1))
