_base_ = 'mocov1.py'
