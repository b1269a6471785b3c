_base_ = 'simclr.py'

model = dict(type='mmregioncl.RegionCLSimCLR')
