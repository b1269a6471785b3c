_base_ = 'imagenet100_mocov2.py'

subset = dict(type='mmregioncl.ImageNetSubset', classes='imagenet200')
train_dataloader = dict(batch_size=32, dataset=subset)
eval_datasets = dict(train=subset, test=subset)
