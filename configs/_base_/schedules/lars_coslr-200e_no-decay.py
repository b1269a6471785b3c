_base_ = 'lars_coslr-200e_in1k.py'

# Without weight decay or LARS scaling for biases and batch norm, as in
# MMSelfSup's configs of SimCLR and BYOL
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            name: dict(decay_mult=0, lars_exclude=True)
            for name in ('bn', 'bias', 'downsample.1')
        }))
