_base_ = 'mmselfsup::selfsup/_base_/schedules/lars_coslr-200e_in1k.py'

# As in mmselfsup's configs of SimCLR and BYOL: biases and batch norm are
# neither decayed nor scaled.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            name: dict(decay_mult=0, lars_exclude=True)
            for name in ('bn', 'bias', 'downsample.1')
        }))
