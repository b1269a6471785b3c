_base_ = 'mmdet::_base_/default_runtime.py'

default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),  # by steps
    resume=dict(type='mmregioncl.ResumeHook'),
    checkpoint=dict(
        type='mmregioncl.TimedCheckpointHook',
        minutes=15,
        by_epoch=False,
        interval=5000,
        max_keep_ckpts=3),
    pretrained=dict(type='mmregioncl.PretrainedHook'),
    guard=dict(type='mmregioncl.GuardHook'))
log_processor = dict(by_epoch=False)
