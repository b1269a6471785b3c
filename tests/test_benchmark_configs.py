import importlib
import json
import math
import re
import shutil
import sys
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, HOOKS, MODELS
from mmengine.runner import Runner

from cached_configs import load, read
from mmregioncl import host
from mmregioncl.engine.config import check_data, set_pretrained
from mmregioncl.transfer import (backbone_weights, load_backbone, read_weights,
                                 to_layout, write_weights)
from toy import MODEL

ROOT = Path(__file__).parents[1] / 'configs' / 'benchmarks'
CONFIGS = sorted(
    path for path in ROOT.rglob('*.py') if '_base_' not in path.parts)
DETECTORS, SEGMENTERS = ([path for path in CONFIGS if package in path.parts]
                         for package in ('mmdetection', 'mmsegmentation'))
CLASSIFIERS = [
    path for path in CONFIGS
    if 'classification' in path.parts and path.stem != 'svm_voc07'
]
POSES = [path for path in CONFIGS if 'mmpose' in path.parts]
# Recipes that differ from a shorter one in their schedule only
LONGER = {
    'mask-rcnn_r50-c4_ms-2x_coco':
    'mask-rcnn_r50-c4_ms-1x_coco',
    'mask-rcnn_r50_fpn_ms-2x_coco':
    'mask-rcnn_r50_fpn_ms-1x_coco',
    'retinanet_r50_fpn_ms-2x_coco':
    'retinanet_r50_fpn_ms-1x_coco',
    'upernet_r50_8xb2-80k_cityscapes-512x1024':
    'upernet_r50_8xb2-40k_cityscapes-512x1024',
}
# What is trained: none again with a longer schedule
DETECTORS_ONCE, SEGMENTERS_ONCE = ([
    path for path in paths if path.stem not in LONGER
] for paths in (DETECTORS, SEGMENTERS))
SIDE = 64
# With which the host's vision transformer returns a map
MAPS = dict(output_cls_token=False) if host.NAME == 'mmselfsup' else dict(
    out_type='featmap')
NAMES = ('a', 'b')


@pytest.fixture(scope='session')
def checkpoints(tmp_path_factory):
    """Checkpoints of backbones pre-trained for a step.

    Transformers by their type, ResNets by their width.
    """
    folder = tmp_path_factory.mktemp('pretrained')
    backbones = dict(
        SwinTransformer=dict(
            type='mmregioncl.SwinTransformer', arch='tiny',
            pad_small_map=True),
        VisionTransformer=dict(
            type='mmregioncl.MoCoV3ViT', arch='mocov3-small', patch_size=16))
    for width, depth in ((8, 50), (32, 18), (64, 50)):
        backbones[str(width)] = dict(
            type='mmregioncl.ResNet',
            depth=depth,
            stem_channels=width,
            base_channels=width,
            zero_init_residual=False)
    channels = dict(
        zip(backbones, (768, 384, 8 * 32, 32 * 8, 64 * 32), strict=True))
    for name, backbone in backbones.items():
        cfg = {key: MODEL[key] for key in MODEL if key != 'region_swap'}
        cfg['backbone'] = backbone
        cfg['neck'] = dict(cfg['neck'], in_channels=channels[name])
        model = MODELS.build(cfg).train()
        model.init_weights()
        optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        views = [torch.rand(2, 3, SIDE, SIDE) for _ in range(2)]
        sum(model(views, mode='loss').values()).backward()
        optimizer.step()
        write_weights(
            dict(state_dict=model.state_dict()), folder / f'{name}.pth')
    return folder


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def coco_data(root: Path, dataset: dict) -> None:
    """Two images, with a square of the first class in each."""
    from mmdet.registry import DATASETS
    classes = dataset.get('metainfo',
                          DATASETS.get(dataset['type']).METAINFO)['classes']
    images, annotations = [], []
    for number, stem in enumerate(NAMES):
        path = root / dataset['data_prefix']['img'] / f'{stem}.png'
        write_image(path, np.full((SIDE, SIDE, 3), 99, np.uint8))
        images.append(
            dict(id=number, file_name=path.name, height=SIDE, width=SIDE))
        annotations.append(
            dict(
                id=number + 1,
                image_id=number,
                category_id=1,
                bbox=[8, 8, 40, 40],
                area=1600,
                iscrowd=0,
                segmentation=[[8, 8, 48, 8, 48, 48, 8, 48]]))
    path = root / dataset['ann_file']
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            dict(
                images=images,
                annotations=annotations,
                categories=[
                    dict(id=number, name=name)
                    for number, name in enumerate(classes, 1)
                ])))


def voc_data(root: Path, dataset: dict) -> None:
    folder = root / dataset['data_prefix']['sub_data_root']
    for stem in NAMES:
        write_image(folder / f'JPEGImages/{stem}.jpg',
                    np.full((SIDE, SIDE, 3), 99, np.uint8))
        path = folder / f'Annotations/{stem}.xml'
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f'<annotation><size><width>{SIDE}</width><height>{SIDE}</height>'
            '</size><object><name>cat</name><difficult>0</difficult><bndbox>'
            '<xmin>8</xmin><ymin>8</ymin><xmax>48</xmax><ymax>48</ymax>'
            '</bndbox></object></annotation>')
    write_names(root / dataset['ann_file'])


def write_names(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(NAMES))


def segmentation_data(root: Path, dataset: dict) -> None:
    """Two images of the classes 0 and 1."""
    from mmseg.registry import DATASETS
    names = DATASETS.get(dataset['type'])
    image_suffix, map_suffix = {
        'CityscapesDataset': ('_leftImg8bit.png', '_gtFine_labelTrainIds.png'),
    }.get(names.__name__, ('.jpg', '.png'))
    prefix = dataset['data_prefix']
    for stem in NAMES:
        write_image(root / prefix['img_path'] / f'{stem}{image_suffix}',
                    np.full((SIDE, SIDE, 3), 99, np.uint8))
        labels = np.zeros((SIDE, SIDE), np.uint8)
        labels[:32] = 1
        write_image(root / prefix['seg_map_path'] / f'{stem}{map_suffix}',
                    labels)
    if dataset.get('ann_file'):
        write_names(root / dataset['ann_file'])


def move_data(dataset: dict, root: Path, write) -> None:
    """Let a data set, or those inside, read toy data at the same places."""
    parts = dataset.get('datasets') or [dataset]
    for part in parts:
        part['data_root'] = str(root)
        write(root, part)


def shrink(value) -> None:
    """Images of 64 pixels, few proposals in them, and thin heads."""
    if isinstance(value, list):
        for part in value:
            shrink(part)
    if not isinstance(value, dict):
        return
    for name, part in value.items():
        if name in ('scale', 'crop_size') or name == 'size' and (isinstance(
                part, tuple)):
            value[name] = (SIDE, SIDE)
        elif name == 'scales' and isinstance(part[0], (list, tuple)):
            value[name] = [(SIDE, SIDE)]
        elif name == 'stride' and isinstance(part, (list, tuple)):
            value[name] = (SIDE, SIDE)
        elif name in ('nms_pre', 'max_per_img'):
            value[name] = 8
        elif name in ('channels', 'conv_out_channels', 'fc_out_channels',
                      'feat_channels'):
            value[name] = 8
        elif name == 'sampler' and part.get('type') == 'RandomSampler':
            part.num = 8
        else:
            shrink(part)


def narrow(model: dict) -> None:
    """Give a ResNet-50 an eighth of its width."""
    model.backbone.update(stem_channels=8, base_channels=8)
    for name in ('neck', 'decode_head', 'auxiliary_head'):
        part = model.get(name) or {}
        if 'in_channels' in part:
            given = part.in_channels
            part.in_channels = given // 8 if isinstance(
                given, int) else [channels // 8 for channels in given]


def toy(path: Path, root: Path, write) -> Config:
    cfg = load(path)
    shrink(cfg._cfg_dict)
    # The shared head of C4 has one width.
    if 'r50' in path.stem and 'shared_head' not in cfg.model.get(
            'roi_head', {}):
        narrow(cfg.model)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        move_data(loader.dataset, root, write)
    cfg.train_dataloader.batch_size = 2
    cfg.randomness = dict(seed=0)  # some random heads make a large step
    if isinstance(cfg.val_evaluator, list):  # it wants the label maps, too
        cfg.val_evaluator = cfg.val_evaluator[0]
    if cfg.val_evaluator.get('ann_file'):
        cfg.val_evaluator.ann_file = str(root /
                                         cfg.val_dataloader.dataset.ann_file)
    cfg.train_cfg.update(max_iters=1, val_interval=1)
    cfg.optim_wrapper.optimizer.lr = 1e-6  # to see what was loaded
    cfg.default_hooks.checkpoint.save_optimizer = False
    cfg.param_scheduler = []
    # An untrained detector is sure of nothing.
    for part in (cfg.model.test_cfg, cfg.model.test_cfg.get('rcnn', {})):
        if 'score_thr' in part:
            part['score_thr'] = 0.
    cfg.update(
        test_dataloader=None,
        test_evaluator=None,
        test_cfg=None,
        work_dir=str(root / 'run'),
        experiment_name=str(root),
        log_level='ERROR')
    return cfg


def start(cfg: Config, checkpoints: Path) -> Runner:
    name = cfg.model.backbone.type
    if name == 'ResNet':
        name = cfg.model.backbone.get('base_channels', 64)
    set_pretrained(cfg, str(checkpoints / f'{name}.pth'))
    check_data(cfg)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def assert_fine_tuned(runner: Runner, cfg: Config) -> None:
    """A step from the pre-trained weights, and evaluated."""
    given = to_layout(
        backbone_weights(
            read_weights(cfg.default_hooks.pretrained.checkpoint)), 'mmseg')
    count = moved = 0
    for part in cfg.default_hooks.pretrained.get('parts', ['backbone']):
        for name, value in runner.model.get_submodule(part).named_parameters():
            if name not in given:  # the extra norm, and those of Swin's maps
                continue
            count += 1
            torch.testing.assert_close(value, given[name], rtol=0, atol=1e-3)
            assert value.requires_grad  # nothing is frozen
            moved += not torch.equal(value, given[name])
    assert count == sum(
        not name.endswith(('mean', 'var', 'tracked', 'position_index'))
        for name in given)
    assert moved > count / 2
    assert (Path(cfg.work_dir) / 'iter_1.pth').exists()
    assert runner.message_hub.get_scalar('train/loss').mean() < math.inf
    assert runner.message_hub.get_info('last_ckpt')
    assert any(
        name.endswith(('bbox_mAP', 'mIoU', 'mAP'))
        for name in runner.message_hub.log_scalars)


@pytest.mark.slow
@pytest.mark.parametrize('path', DETECTORS_ONCE, ids=lambda path: path.stem)
def test_detector_starts_from_the_backbone(path, checkpoints, tmp_path,
                                           monkeypatch):
    # Which evaluates two images without four processes
    monkeypatch.setattr('mmdet.evaluation.functional.mean_ap.Pool', ThreadPool)
    write = voc_data if 'voc0712' in path.parts else coco_data
    cfg = toy(path, tmp_path, write)
    runner = start(cfg, checkpoints)
    assert_fine_tuned(runner, cfg)
    # As MMDetection's inference reads it
    assert isinstance(runner.train_dataloader.dataset.metainfo, dict)


@pytest.mark.slow
@pytest.mark.parametrize('path', SEGMENTERS_ONCE, ids=lambda path: path.stem)
def test_segmenter_starts_from_the_backbone(path, checkpoints, tmp_path):
    cfg = toy(path, tmp_path, segmentation_data)
    assert_fine_tuned(start(cfg, checkpoints), cfg)


@pytest.mark.slow
@pytest.mark.parametrize('number, write, base', [
    (0, coco_data, 'coco_small/mask-rcnn_r18-w32_fpn_1xb2-2k_coco-small.py'),
    (1, segmentation_data,
     'cityscapes/upernet_r50_8xb2-40k_cityscapes-512x1024.py'),
])
def test_own_data_as_the_page_has_it(number, write, base, checkpoints,
                                     tmp_path):
    """On the base of the config there, and on that for a ResNet-50."""
    page = (ROOT.parents[1] / 'docs/finetuning.md').read_text()
    assert base in page
    _, shown, text = re.findall(r"^```python\n(_base_ = '(.*?)'(.*?))^```",
                                page, re.M | re.S)[number]
    path = tmp_path / f'own_{Path(base).name}'
    folder = (ROOT.parents[1] / shown).parents[1]
    path.write_text(f'_base_ = {str(folder / base)!r}{text}')
    cfg = toy(path, tmp_path, write)
    runner = start(cfg, checkpoints)
    assert_fine_tuned(runner, cfg)
    classes = read(path).classes
    assert runner.train_dataloader.dataset.metainfo['classes'] == classes
    head = runner.model.decode_head if number else runner.model.roi_head
    assert getattr(head, 'bbox_head', head).num_classes == len(classes)
    assert not getattr(head, 'with_mask', False)


def test_transformer_of_a_segmenter_computes_what_was_pre_trained():
    """Its norms and its positions, which are resized to an oblong image.

    Two layers of the recipe for ViT-S.
    """
    path, = (path for path in SEGMENTERS if 'vit-s' in path.stem)
    cfg = dict(read(path).model.backbone, num_layers=2, out_indices=(1, ))
    theirs = MODELS.build(dict(cfg, type='mmseg.VisionTransformer'))
    ours = MODELS.build(
        dict(
            type='mmregioncl.VisionTransformer',
            arch=dict(
                embed_dims=384,
                num_layers=2,
                num_heads=12,
                feedforward_channels=1536),
            **MAPS))
    with torch.no_grad():
        for weight in ours.parameters():
            weight.normal_(0, 0.1)
        images = 0.01 * torch.randn(1, 3, 48, 80)  # to which norms add an eps
        model = torch.nn.ModuleDict(dict(backbone=theirs))
        load_backbone(model, ours.state_dict())
        model.eval()  # no layer is dropped
        wanted = ours(images)[-1]
        found, = theirs(images)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize('name', LONGER)
def test_longer_schedules_change_nothing_else(name):
    paths = {path.stem: path for path in CONFIGS}
    longer, shorter = (
        read(paths[stem]).to_dict() for stem in (name, LONGER[name]))
    for cfg in (longer, shorter):
        del cfg['param_scheduler']
        del cfg['train_cfg']['max_iters'], cfg['train_cfg']['val_interval']
        del cfg['default_hooks']['checkpoint']['interval']
    assert longer == shorter


@pytest.fixture
def labelled(image_folder, cifar_folder, stl10_folder, tmp_path) -> dict:
    """Small data by the type of data set."""
    images = sorted(image_folder.glob('a/*.png'))
    tiny = tmp_path / 'tiny'
    for folder in ('train/n1/images', 'train/n2/images', 'val/images'):
        (tiny / folder).mkdir(parents=True)
        for image in images[:2]:
            shutil.copy(image, tiny / folder / image.name)
    (tiny / 'wnids.txt').write_text('n1\nn2')
    lines = [f'{image.name}\tn2\t0\t0\t9\t9' for image in images[:2]]
    (tiny / 'val' / 'val_annotations.txt').write_text('\n'.join(lines))
    lines = [f'{image.name} {label}' for label, image in enumerate(images[:4])]
    (tmp_path / 'list').write_text('\n'.join(lines))
    folder = str(image_folder / 'a')
    return {
        'mmregioncl.CIFAR10':
        dict(data_prefix=str(cifar_folder)),
        'mmregioncl.CIFAR100':
        dict(data_prefix=str(cifar_folder)),
        'mmregioncl.STL10':
        dict(data_root=str(stl10_folder)),
        'mmregioncl.TinyImageNet':
        dict(data_root=str(tiny)),
        'CustomDataset':
        dict(data_root=str(image_folder)),
        'ImageNet':
        dict(
            data_root='', data_prefix=folder, ann_file=str(tmp_path / 'list')),
        'Places205':
        dict(
            data_root='',
            data_prefix=dict(img_path=folder),
            ann_file=str(tmp_path / 'list')),
    }


@pytest.mark.slow
@pytest.mark.parametrize('path', CLASSIFIERS, ids=lambda path: path.stem)
def test_classifier_starts_from_the_backbone(path, labelled, checkpoints,
                                             tmp_path):
    cfg = load(path)
    frozen = cfg.model.get('frozen', False)
    assert frozen == ('linear' in path.stem)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.update(labelled[loader.dataset.type], indices=4)
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        for step in loader.dataset.pipeline:
            for name in ('size', 'scale', 'crop_size'):
                if step.get(name):
                    step[name] = SIDE
    cfg.train_cfg.max_epochs = 1
    if cfg.model.backbone.get('norm_cfg', {}).get('type') == 'SyncBN':
        cfg.model.backbone.norm_cfg.type = 'BN'
    checkpoint = checkpoints / 'VisionTransformer.pth'
    if 'resnet' in path.stem:
        cfg.model.backbone.update(stem_channels=8, base_channels=8)
        cfg.model.head.in_channels = 64 if 'resnet18' in path.stem else 256
        checkpoint = checkpoints / '8.pth'
    if 'resnet18' in path.stem:
        checkpoint = tmp_path / 'cifar.pth'
        backbone = MODELS.build(cfg.model.backbone)
        torch.save(
            {
                f'backbone.{k}': v
                for k, v in backbone.state_dict().items()
            }, checkpoint)
    set_pretrained(cfg, str(checkpoint))
    check_data(cfg, 'train_dataloader', 'val_dataloader')
    cfg.update(
        work_dir=str(tmp_path),
        experiment_name=str(tmp_path),
        log_level='ERROR')
    runner = Runner.from_cfg(cfg)
    runner.train()
    mean = runner.model.data_preprocessor.mean.flatten().tolist()
    assert mean == pytest.approx(list(cfg.data_preprocessor.mean))
    given = backbone_weights(read_weights(checkpoint))
    weights = runner.model.backbone.state_dict()
    same = [
        torch.equal(weights[name], given[name]) for name in given
        if not name.endswith('tracked')
    ]
    assert all(same) if frozen else not all(same)
    assert runner.message_hub.get_scalar('val/accuracy/top1').data[0].size
    assert list(tmp_path.glob('best_accuracy_top1_epoch_1.pth'))


def test_labels_of_voc07(tmp_path):
    """Images with several classes, and some that are difficult."""
    from mmregioncl.evaluation import read_labels
    path, = (path for path in CONFIGS if path.stem == 'svm_voc07')
    for stem in NAMES:
        write_image(tmp_path / f'JPEGImages/{stem}.jpg',
                    np.full((SIDE, SIDE, 3), 99, np.uint8))
        annotation = tmp_path / f'Annotations/{stem}.xml'
        annotation.parent.mkdir(exist_ok=True)
        objects = [('cat', 0), ('dog', int(stem == 'b')), ('zebra', 0)]
        annotation.write_text('<annotation>' + ''.join(
            f'<object><name>{name}</name><difficult>{difficult}</difficult>'
            '</object>' for name, difficult in objects) + '</annotation>')
    for split in ('trainval', 'test'):
        write_names(tmp_path / f'ImageSets/Main/{split}.txt')
    for dataset in load(path).eval_datasets.values():
        dataset.data_root = str(tmp_path)
        dataset = DATASETS.build(dataset)
        labels = read_labels(dataset)
        cat, dog = (
            dataset.metainfo['classes'].index(n) for n in ('cat', 'dog'))
        assert labels.shape == (2, 20)
        assert labels[:, [cat, dog]].tolist() == [[1, 1], [1, -1]]
        assert labels.abs().sum() == 4
        assert dataset[0]['inputs'][0].shape == (3, 224, 224)


# Epochs, optimizer, learning rate, batch, classes
LINEAR = {
    'resnet50_linear-8xb128-steplr-100e_in1k': (100, 'SGD', 30, 128, 1000),
    'resnet50_linear-8xb512-coslr-90e_in1k': (90, 'LARS', 1.6, 512, 1000),
    'resnet50_linear-8xb32-steplr-28e_places205': (28, 'SGD', 0.01, 32, 205),
    'resnet18_linear-1xb512-steplr-100e_cifar10': (100, 'SGD', 10, 512, 10),
    'resnet18_linear-1xb512-steplr-100e_cifar100': (100, 'SGD', 10, 512, 100),
    'resnet18_linear-1xb512-steplr-100e_stl10': (100, 'SGD', 10, 512, 10),
    'resnet18_linear-1xb512-steplr-100e_tiny-imagenet':
    (100, 'SGD', 10, 512, 200),
}


@pytest.mark.parametrize('name', LINEAR)
def test_published_linear_classifier(name):
    path, = (path for path in CLASSIFIERS if path.stem == name)
    cfg = read(path)
    optimizer = cfg.optim_wrapper.optimizer
    assert (cfg.train_cfg.max_epochs, optimizer.type, optimizer.lr,
            cfg.train_dataloader.batch_size,
            cfg.model.head.num_classes) == LINEAR[name]
    assert cfg.data_preprocessor.num_classes == LINEAR[name][-1]
    if LINEAR[name][0] == 100:
        assert cfg.param_scheduler[0].milestones == [60, 80]
        assert optimizer.weight_decay == 0


# Iterations, last drop, batch on 8 or 4 GPUs, learning rate, classes
RECIPES = {
    'mask-rcnn_r50-c4_ms-1x_coco': (90000, 80000, 2, 0.02, 80),
    'mask-rcnn_r50-c4_ms-2x_coco': (180000, 160000, 2, 0.02, 80),
    'mask-rcnn_r50_fpn_ms-1x_coco': (90000, 80000, 2, 0.02, 80),
    'mask-rcnn_r50_fpn_ms-2x_coco': (180000, 160000, 2, 0.02, 80),
    'retinanet_r50_fpn_ms-1x_coco': (90000, 80000, 2, 0.01, 80),
    'retinanet_r50_fpn_ms-2x_coco': (180000, 160000, 2, 0.01, 80),
    'mask-rcnn_r50_fpn_8xb1-ms-24k_cityscapes': (24000, 18000, 1, 0.01, 8),
    'faster-rcnn_r50-c4_ms-24k_voc0712': (24000, 22000, 2, 0.02, 20),
    'upernet_r50_8xb2-40k_cityscapes-512x1024': (40000, None, 2, 0.01, 19),
    'upernet_r50_8xb2-80k_cityscapes-512x1024': (80000, None, 2, 0.01, 19),
    'fcn_r50-d8_4xb2-40k_cityscapes-769x769': (40000, None, 2, 0.01, 19),
    'fcn_r50-d8_4xb4-20k_voc12aug-512x512': (20000, None, 4, 0.01, 21),
}


@pytest.mark.parametrize(
    'path', [p for p in DETECTORS + SEGMENTERS if 'r50' in p.stem],
    ids=lambda path: path.stem)
def test_published_recipe(path):
    """Numbers of the official logs and of MMSegmentation's FCN recipes."""
    iterations, drop, batch, lr, classes = RECIPES[path.stem]
    cfg = read(path)
    assert cfg.train_cfg.max_iters == iterations
    assert cfg.param_scheduler[-1].end == iterations
    optimizer = cfg.optim_wrapper.optimizer
    if drop:  # detectron2's
        assert cfg.param_scheduler[-1].milestones[-1] == drop
        warmup = 100 if 'voc' in path.stem else 1000
        assert cfg.param_scheduler[0].end == warmup
        assert cfg.param_scheduler[0].start_factor == 1e-3
        assert cfg.optim_wrapper.paramwise_cfg.norm_decay_mult == 0
        assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 1e-4)
    else:
        assert (cfg.param_scheduler[-1].power,
                cfg.param_scheduler[-1].eta_min) == (0.9, 1e-4)
        assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 5e-4)
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.optim_wrapper.optimizer.lr == lr
    model = cfg.model
    heads = [
        model.get('bbox_head'),
        model.get('decode_head'), *model.get('roi_head', {}).values()
    ]
    counts = {
        h['num_classes']
        for h in heads if isinstance(h, dict) and 'num_classes' in h
    }
    assert counts == {classes}
    backbone = model.backbone
    assert backbone.type == 'ResNet' and backbone.style == 'pytorch'
    assert backbone.norm_cfg == dict(type='SyncBN', requires_grad=True)
    assert not backbone.norm_eval and backbone.get('init_cfg') is None
    assert backbone.get('frozen_stages',
                        -1) == -1 and not model.get('pretrained')
    assert list(model.data_preprocessor.mean) == [123.675, 116.28, 103.53]
    assert list(model.data_preprocessor.std) == [58.395, 57.12, 57.375]
    assert model.data_preprocessor.bgr_to_rgb
    sync = dict(type='SyncBN', requires_grad=True)
    if 'fpn' in path.stem:
        assert model.neck.norm_cfg == sync
        assert all('norm_cfg' not in (head or {}) for head in heads
                   if isinstance(head, (dict, type(None))))
    elif 'c4' in path.stem:
        shared = model.roi_head.shared_head
        assert shared.type == 'ResLayerExtraNorm' and shared.norm_cfg == sync
        assert (model.train_cfg.rpn_proposal.nms_pre,
                model.test_cfg.rpn.nms_pre) == (12000, 6000)
    else:
        assert model.decode_head.norm_cfg == sync
        assert model.auxiliary_head.norm_cfg == sync
        assert model.auxiliary_head.loss_decode.loss_weight == 0.4


@pytest.mark.parametrize(
    'path', DETECTORS + SEGMENTERS, ids=lambda path: path.stem)
def test_detectors_and_segmenters_resume_exactly(path):
    cfg = read(path)
    assert cfg.train_cfg.type == 'mmregioncl.SeededIterTrainLoop'
    sampler = cfg.train_dataloader.sampler
    assert sampler.type == 'mmregioncl.SeededInfiniteSampler'
    assert sampler.get('shuffle', True)
    assert cfg.default_hooks.resume.type == 'mmregioncl.ResumeHook'


@pytest.mark.parametrize('name, sides, longest', [
    ('mask-rcnn_r50-c4_ms-1x_coco', (640, 800), 1200),
    ('mask-rcnn_r50_fpn_ms-2x_coco', (640, 800), 1333),
    ('retinanet_r50_fpn_ms-1x_coco', (640, 800), 1333),
    ('mask-rcnn_r50_fpn_8xb1-ms-24k_cityscapes', (800, 1024), 2048),
    ('faster-rcnn_r50-c4_ms-24k_voc0712', (480, 800), 1333),
])
def test_sizes_of_training_images(name, sides, longest):
    path, = (path for path in DETECTORS if path.stem == name)
    dataset = read(path).train_dataloader.dataset
    for part in dataset.get('datasets', [dataset]):
        scales = part.pipeline[2].scales
        assert {scale[0] for scale in scales} == {longest}
        assert [scale[1]
                for scale in scales] == [*range(sides[0], sides[1] + 1, 32)]


@pytest.mark.parametrize('path', POSES, ids=lambda path: path.stem)
def test_pose_takes_the_backbone(path, checkpoints, monkeypatch):
    """The checkpoint has the names and shapes of MMPose's own ResNet.

    This file of MMPose is loaded alone: its package does not import without
    xtcocotools, which has to be compiled.
    """
    spec = importlib.util.find_spec('mmpose')
    for name in ('mmpose.models', 'mmpose.models.backbones'):
        module = ModuleType(name)
        module.__path__ = [
            f'{spec.submodule_search_locations[0]}'
            f'{name[len("mmpose"):].replace(".", "/")}'
        ]
        monkeypatch.setitem(sys.modules, name, module)
    resnet = importlib.import_module('mmpose.models.backbones.resnet').ResNet
    cfg = read(path)
    settings = dict(cfg.model.backbone)
    assert settings.pop('type') == 'ResNet' and not settings['init_cfg']
    model = torch.nn.Module()
    model.backbone = resnet(**settings)
    hook = HOOKS.build(
        dict(
            cfg.default_hooks.pretrained,
            checkpoint=str(checkpoints / '64.pth')))
    assert cfg.train_cfg.max_epochs == 210
    assert load_backbone(model,
                         backbone_weights(read_weights(hook.checkpoint)),
                         hook.parts) == 265
    conv1 = read_weights(hook.checkpoint)['backbone.conv1.weight']
    assert torch.equal(model.backbone.conv1.weight, conv1)
