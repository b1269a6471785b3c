_base_ = 'imagenet.py'

places = dict(
    type='Places205',
    data_root='data/Places205/',
    data_prefix=dict(img_path='data/vision/torralba/deeplearning/images256/'))
lists = 'trainvalsplit_places205/'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **places,
        ann_file=lists + 'train_places205.csv',
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        **places,
        ann_file=lists + 'val_places205.csv',
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
