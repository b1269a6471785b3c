_base_ = 'coco_instance.py'

# The official C4 recipe trains on images of up to 1200 pixels.
train_pipeline = _base_.train_pipeline
train_pipeline[2].scales = [(1200, side) for side in range(640, 801, 32)]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
