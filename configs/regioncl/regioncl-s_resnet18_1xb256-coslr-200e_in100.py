_base_ = 'simsiam_resnet18_1xb256-coslr-200e_in100.py'

model = dict(type='mmregioncl.RegionCLSimSiam')
