_base_ = 'default_runtime.py'

# The last stage is in the head, before a batch norm of its own.
default_hooks = dict(
    pretrained=dict(parts=('backbone', 'roi_head.shared_head'), new=r'norm\.'))
