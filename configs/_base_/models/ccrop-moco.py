_base_ = 'ccrop-simclr.py'

# The queue is the released one. It is longer than CIFAR-10 and -100, so that
# an image meets its own old keys; our own configs stay below the data.
model = dict(
    type='MoCo',
    queue_len=65536,
    feat_dim=128,
    momentum=0.999,
    head=dict(
        loss=dict(_delete_=True, type='mmcls.CrossEntropyLoss'),
        temperature=0.2))
