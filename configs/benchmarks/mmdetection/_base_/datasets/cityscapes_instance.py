_base_ = 'mmdet::_base_/datasets/cityscapes_instance.py'

train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(
    type='RandomChoiceResize',
    scales=[(2048, side) for side in range(800, 1025, 32)],
    keep_ratio=True)
# The base repeats the images eight times an epoch; here iterations count.
dataset = _base_.train_dataloader.dataset.dataset
dataset.pipeline = train_pipeline
train_dataloader = dict(
    sampler=dict(type='mmregioncl.SeededInfiniteSampler'),
    dataset=dict(_delete_=True, **dataset))

# A new folder for each evaluation, instead of one for all runs
val_evaluator = _base_.val_evaluator
val_evaluator[1].outfile_prefix = None
test_evaluator = val_evaluator
