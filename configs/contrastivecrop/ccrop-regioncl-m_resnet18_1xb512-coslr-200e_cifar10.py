# No source combines the two: alpha and the schedule of boxes are
# ContrastiveCrop's.
_base_ = [
    '../_base_/models/mocov2_resnet18-cifar.py',
    '../_base_/datasets/cifar10_ccrop.py',
    '../_base_/schedules/sgd_coslr-200e_small.py',
    '../_base_/labelled_ccrop_runtime.py',
]

model = dict(type='mmregioncl.RegionCLMoCo')
