_base_ = 'linear_steplr-100e.py'

# As in ContrastiveCrop
optim_wrapper = dict(optimizer=dict(lr=10.))
