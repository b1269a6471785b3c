_base_ = [
    '../_base_/models/resnet50.py',
    '../_base_/datasets/folder.py',
    '../_base_/schedules/linear_steplr-100e.py',
    '../_base_/default_runtime.py',
]

num_classes = 1000  # the number of your folders
model = dict(frozen=True, head=dict(num_classes=num_classes))
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(batch_size=256)
