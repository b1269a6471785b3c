_base_ = 'mmseg::_base_/schedules/schedule_40k.py'

default_hooks = dict(
    resume=dict(type='mmregioncl.ResumeHook'),
    checkpoint=dict(
        type='mmregioncl.TimedCheckpointHook', minutes=15, max_keep_ckpts=3),
    pretrained=dict(type='mmregioncl.PretrainedHook'),
    guard=dict(type='mmregioncl.GuardHook'))
train_cfg = dict(type='mmregioncl.SeededIterTrainLoop')
auto_scale_lr = dict(enable=False, base_batch_size=16)
