_base_ = 'mmcls::_base_/default_runtime.py'

default_hooks = dict(
    checkpoint=dict(
        interval=10,
        max_keep_ckpts=3,
        save_best='accuracy/top1',
        backend_args=dict(backend='mmregioncl.atomic')),
    pretrained=dict(type='mmregioncl.PretrainedHook'),
    guard=dict(type='mmregioncl.GuardHook'))
