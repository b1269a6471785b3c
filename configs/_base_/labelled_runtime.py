_base_ = 'default_runtime.py'

# For data sets with eval_datasets. Training does not see their labels.
default_hooks = dict(
    knn=dict(type='mmregioncl.OnlineKNNHook'),
    linear=dict(type='mmregioncl.OnlineLinearProbeHook'))
