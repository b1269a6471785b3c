# Labelled sets of the protocols svm and low-shot on VOC07
eval_pipeline = [
    dict(type='mmregioncl.LoadImage', on_corrupt='raise'),
    dict(type='mmcls.ResizeEdge', scale=256, edge='short'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='mmregioncl.PackSelfSupInputs'),
]
voc07 = dict(
    type='mmcls.VOC',
    data_root='data/VOCdevkit/VOC2007',
    pipeline=eval_pipeline)
eval_datasets = dict(
    train=dict(**voc07, image_set_path='ImageSets/Main/trainval.txt'),
    test=dict(**voc07, image_set_path='ImageSets/Main/test.txt'))
