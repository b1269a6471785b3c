_base_ = 'default_runtime.py'

# The last stage is part of the head, followed by a new batch norm.
default_hooks = dict(
    pretrained=dict(parts=('backbone', 'roi_head.shared_head'), new=r'norm\.'))
