# Overfits on purpose: trains on eight images and has to find their objects.
_base_ = 'mask-rcnn_r18-w32_fpn_1xb2-2k_coco-small.py'

load, annotations, _, _, pack = _base_.train_pipeline
resize = _base_.test_pipeline[1]
train_pipeline = [load, annotations, resize, pack]
train_dataloader = dict(dataset=dict(indices=8, pipeline=train_pipeline))

# Evaluates on the same images, with the annotations of the data set: the file
# has those of all images.
meta_keys = _base_.test_pipeline[-1].meta_keys + ('instances', )
test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
val_dataloader = dict(
    dataset=dict(
        ann_file='train.json',
        data_prefix=dict(img='images/train/'),
        indices=8,
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=None)
test_evaluator = val_evaluator

param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=600, milestones=[450, 550])
train_cfg = dict(max_iters=600, val_interval=300)
default_hooks = dict(checkpoint=dict(interval=300))
