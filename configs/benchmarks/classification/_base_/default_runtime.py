# As mmcls's. Names without a prefix are this package's, the host's or
# MMEngine's.
default_scope = 'mmregioncl'

log_level = 'INFO'
visualizer = dict(
    type='ClsVisualizer',
    vis_backends=[dict(type='mmregioncl.SafeVisBackend')])
load_from = None
resume = False
randomness = dict(seed=None, deterministic=False)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=1800))

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmregioncl.TimedCheckpointHook',
        minutes=15,
        interval=10,
        max_keep_ckpts=3,
        save_best='accuracy/top1'),
    resume=dict(type='mmregioncl.ResumeHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='VisualizationHook', enable=False),
    pretrained=dict(type='mmregioncl.PretrainedHook'),
    guard=dict(type='mmregioncl.GuardHook'))
