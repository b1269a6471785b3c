_base_ = 'mmcls::_base_/datasets/imagenet_bs32_pil_resize.py'

# Without persistent workers, every epoch repeats the random numbers of the
# first.
train_dataloader = dict(persistent_workers=True, pin_memory=True)
val_dataloader = dict(persistent_workers=True)
test_dataloader = val_dataloader
