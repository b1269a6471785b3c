# Names without a prefix are this package's, the host's or MMEngine's.
default_scope = 'mmregioncl'

log_level = 'INFO'
log_processor = dict(window_size=10)
visualizer = dict(
    type='Visualizer',
    vis_backends=[dict(type='mmregioncl.SafeVisBackend')],
    name='visualizer')
load_from = None
resume = False

# All views have one size, so let cuDNN time its kernels. For bitwise
# reproducible runs on a GPU, set randomness.deterministic=True.
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # A process waits for the others for half an hour at most.
    dist_cfg=dict(backend='nccl', timeout=1800))

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    accumulation=dict(type='mmregioncl.AccumulationHook'),
    timer=dict(type='mmregioncl.ThroughputHook'),
    resume=dict(type='mmregioncl.ResumeHook'),
    checkpoint=dict(
        type='mmregioncl.TimedCheckpointHook',
        minutes=15,
        interval=10,
        max_keep_ckpts=3),
    guard=dict(type='mmregioncl.GuardHook'),
    health=dict(type='mmregioncl.RepresentationHealthHook'))
