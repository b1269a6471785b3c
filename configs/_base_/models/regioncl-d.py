_base_ = 'densecl.py'

model = dict(type='mmregioncl.RegionCLDenseCL')
