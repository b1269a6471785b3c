_base_ = 'mmselfsup::selfsup/_base_/default_runtime.py'

# All views have one size, so let cuDNN time its kernels. For bitwise
# reproducible runs on a GPU, set randomness.deterministic=True.
env_cfg = dict(cudnn_benchmark=True)

default_hooks = dict(
    accumulation=dict(type='mmregioncl.AccumulationHook'),
    timer=dict(type='mmregioncl.ThroughputHook'),
    checkpoint=dict(
        max_keep_ckpts=3,
        # A killed run leaves no truncated checkpoint.
        backend_args=dict(backend='mmregioncl.atomic')),
    guard=dict(type='mmregioncl.GuardHook'),
    health=dict(type='mmregioncl.RepresentationHealthHook'))
