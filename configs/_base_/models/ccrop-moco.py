_base_ = 'ccrop-simclr.py'

# The released queue. It is longer than CIFAR-10 and CIFAR-100, so an image
# meets its own old keys. Queues of this package's recipes are shorter.
model = dict(
    type='MoCo',
    queue_len=65536,
    feat_dim=128,
    head=dict(
        loss=dict(_delete_=True, type='CrossEntropyLoss'), temperature=0.2))
