_base_ = 'mmselfsup::selfsup/_base_/default_runtime.py'

default_hooks = dict(
    checkpoint=dict(
        max_keep_ckpts=3,
        # A run that is killed while it saves leaves no half of a file.
        backend_args=dict(backend='mmregioncl.atomic')),
    guard=dict(type='mmregioncl.GuardHook'),
    health=dict(type='mmregioncl.RepresentationHealthHook', interval=5))
