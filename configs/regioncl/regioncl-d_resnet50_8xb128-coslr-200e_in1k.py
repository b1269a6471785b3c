_base_ = 'regioncl-d_resnet50_8xb32-coslr-200e_in1k.py'

# Batch and learning rate of the official RegionCL-M
train_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(lr=0.15))
