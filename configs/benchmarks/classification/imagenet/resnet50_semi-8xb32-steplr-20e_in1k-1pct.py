_base_ = 'resnet50_semi-8xb32-steplr-20e_in1k-10pct.py'

train_dataloader = dict(dataset=dict(ann_file='meta/train_1percent.txt'))
