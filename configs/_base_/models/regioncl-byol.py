_base_ = 'byol.py'

model = dict(type='mmregioncl.RegionCLBYOL')
