_base_ = [
    'mmselfsup::benchmarks/classification/_base_/models/resnet50.py',
    '../_base_/datasets/folder.py',
    '../_base_/schedules/finetune_coslr-30e.py',
    '../_base_/default_runtime.py',
]

num_classes = 1000  # of your folders
model = dict(
    data_preprocessor=dict(num_classes=num_classes),
    head=dict(num_classes=num_classes))
train_dataloader = dict(batch_size=128)
