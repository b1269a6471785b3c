_base_ = [
    '../_base_/models/resnet18-cifar_linear.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/finetune_coslr-30e.py',
    '../_base_/default_runtime.py',
]

model = dict(frozen=False, head=dict(num_classes=100))
data_preprocessor = dict(num_classes=100, **_base_.image_statistics)
train_dataloader = dict(batch_size=128)
