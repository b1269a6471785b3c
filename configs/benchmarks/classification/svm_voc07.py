# Labeled sets of the protocols svm and low-shot on VOC07
eval_pipeline = [
    dict(type='mmregioncl.LoadImage', on_corrupt='raise'),
    dict(type='mmregioncl.ResizeEdge', scale=256, edge='short'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='mmregioncl.PackSelfSupInputs'),
]
voc07 = dict(
    type='mmregioncl.VOC',  # the host's
    data_root='data/VOCdevkit/VOC2007',
    pipeline=eval_pipeline)
eval_datasets = dict(
    train=dict(**voc07, image_set_path='ImageSets/Main/trainval.txt'),
    test=dict(**voc07, image_set_path='ImageSets/Main/test.txt'))
