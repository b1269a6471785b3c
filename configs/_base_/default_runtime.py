_base_ = 'mmselfsup::selfsup/_base_/default_runtime.py'

# The transforms of mmselfsup by faster code; False: its own
fast_transforms = True

# Views have one size. It picks kernels by their time: for runs that agree to
# the bit on a GPU, set randomness.deterministic=True.
env_cfg = dict(cudnn_benchmark=True)

default_hooks = dict(
    accumulation=dict(type='mmregioncl.AccumulationHook'),
    timer=dict(type='mmregioncl.ThroughputHook'),
    checkpoint=dict(
        max_keep_ckpts=3,
        # A run that is killed while it saves leaves no half of a file.
        backend_args=dict(backend='mmregioncl.atomic')),
    guard=dict(type='mmregioncl.GuardHook'),
    health=dict(type='mmregioncl.RepresentationHealthHook', interval=5))
