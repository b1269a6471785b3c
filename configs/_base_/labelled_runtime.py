_base_ = 'default_runtime.py'

# For data sets with labels and eval_datasets. Training does not see them.
default_hooks = dict(
    knn=dict(type='mmregioncl.OnlineKNNHook', interval=10),
    linear=dict(type='mmregioncl.OnlineLinearProbeHook', interval=10))
