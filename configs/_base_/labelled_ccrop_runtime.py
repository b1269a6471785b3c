_base_ = 'labelled_runtime.py'

# Finds the boxes that ContrastiveCrop crops around.
default_hooks = dict(boxes=dict(type='mmregioncl.SemanticLocalizationHook'))
