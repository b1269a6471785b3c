import runpy
from collections import Counter
from inspect import signature
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import Runner

from cached_configs import load, read
from mmregioncl import host
from mmregioncl.datasets.class_folders import CLASS_LISTS
from mmregioncl.datasets.nested import typed_dicts
from mmregioncl.datasets.transforms import FAST
from mmregioncl.engine.config.old import check_old
from mmregioncl.models.parents import MoCo, with_settings
from mmregioncl.models.utils import MAP_SETTINGS, RegionSwap, grid_of

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(
    path for path in (ROOT / 'configs').rglob('*.py')
    if not {'_base_', 'benchmarks'} & set(path.parts))


@pytest.fixture(autouse=True)
def scope_of_the_configs():
    init_default_scope('mmregioncl')


@pytest.fixture(scope='session')
def class_folders(tmp_path_factory):
    """An image in each folder of ImageNet-100, -200 and Tiny-ImageNet."""
    root = tmp_path_factory.mktemp('classes')
    ids = {
        name
        for path in CLASS_LISTS.glob('*.txt')
        for name in path.read_text().split()
    }
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), 'uint8')
    for folder in (*ids, 'train/n1/images', 'val/images'):
        (root / folder).mkdir(parents=True)
        cv2.imwrite(str(root / folder / '0.JPEG'), noise)
    for copy in range(1, 4):
        cv2.imwrite(str(root / f'train/n1/images/{copy}.JPEG'), noise)
    (root / 'wnids.txt').write_text('n1')
    (root / 'val' / 'val_annotations.txt').write_text('0.JPEG\tn1\t0\t0\t9\t9')
    return root


@pytest.fixture
def folders(image_folder, cifar_folder, stl10_folder, class_folders) -> dict:
    """Real data of the types that are not folders of images, and the rest."""
    return {
        'mmregioncl.CIFAR10': dict(data_prefix=str(cifar_folder)),
        'mmregioncl.CIFAR100': dict(data_prefix=str(cifar_folder)),
        'mmregioncl.STL10': dict(data_root=str(stl10_folder)),
        'mmregioncl.ImageNetSubset': dict(data_root=str(class_folders)),
        'mmregioncl.TinyImageNet': dict(data_root=str(class_folders)),
        'CustomDataset': dict(data_root=str(image_folder)),
        None: dict(type='mmregioncl.ImageFolder', data_root=str(image_folder))
    }


def pipeline_of(cfg) -> list:
    """Pipeline of the training set, or of all sets that it concatenates."""
    dataset = cfg.train_dataloader.dataset
    first, *others = [
        part.pipeline for part in dataset.get('datasets', [dataset])
    ]
    assert all(pipeline == first for pipeline in others)
    return first


def thin(backbone) -> dict:
    """Settings of a backbone with 64 channels."""
    if backbone.type == 'MoCoV3ViT':
        return dict(
            arch=dict(
                embed_dims=64,
                num_layers=1,
                num_heads=2,
                feedforward_channels=64))
    return dict(
        type=f'mmregioncl.Toy{backbone.type}',
        depth=10,
        stem_channels=8,
        base_channels=8)


def shrink(cfg, folders, work_dir):
    """Toy size: 4 images in one step of a thin network."""
    dataset = cfg.train_dataloader.dataset
    if dataset.type in folders:
        dataset.update(folders[dataset.type])
    else:
        cfg.train_dataloader.dataset = dict(
            folders[None], pipeline=pipeline_of(cfg))
    cfg.train_dataloader.dataset.indices = 4
    workers = int('boxes' in cfg.default_hooks)  # reads them in shared memory
    cfg.train_dataloader.update(
        batch_size=4, num_workers=workers, persistent_workers=bool(workers))
    for name in ('health', 'knn', 'linear', 'boxes'):
        if name in cfg.default_hooks:
            cfg.default_hooks[name].num_workers = 0
    cfg.model.backbone.update(thin(cfg.model.backbone))
    cfg.model.neck.in_channels = 64
    if 'hid_channels' in cfg.model.neck:
        cfg.model.neck.hid_channels = 16
    if 'queue_len' in cfg.model:
        cfg.model.queue_len = 64
    if 'predictor' in cfg.model.head:
        cfg.model.neck.out_channels = 16
        cfg.model.head.predictor.update(
            in_channels=16, hid_channels=8, out_channels=16)
    cfg.optim_wrapper.pop('accumulative_counts', None)
    if cfg.optim_wrapper.type == 'AmpOptimWrapper':  # for GPUs alone
        cfg.optim_wrapper.type = 'OptimWrapper'
        del cfg.optim_wrapper.loss_scale
    cfg.train_cfg.max_epochs = 1
    if 'boxes' in cfg.default_hooks:  # an epoch more, to crop by them
        cfg.train_cfg.max_epochs = 2
        cfg.default_hooks.boxes.update(warmup_epochs=1, interval=1)
    for name, part in cfg.get('eval_datasets', {}).items():
        part.update(folders[part.type], indices=2 if name == 'train' else 1)
    if 'knn' in cfg.default_hooks:
        cfg.default_hooks.knn.k = (1, 2)
    cfg.update(
        work_dir=str(work_dir),
        experiment_name=str(work_dir),
        log_level='ERROR')
    return cfg


# With all methods, all hooks, and views made on the device
ON_DEVICE = [
    pytest.param(path, marks=pytest.mark.device)
    if 'cifar10' in path.stem and '1xb512-coslr-200e' in path.stem else path
    for path in CONFIGS
]


@pytest.mark.slow
@pytest.mark.parametrize('path', ON_DEVICE, ids=lambda path: path.stem)
def test_config_trains_a_step(path, folders, tmp_path):
    cfg = shrink(load(path), folders, tmp_path / 'run')
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    before = {n: w.clone() for n, w in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == cfg.train_cfg.max_epochs
    dataset = runner.train_dataloader.dataset
    if 'boxes' in cfg.default_hooks:
        store = dataset.pipeline.transforms[0].store
        assert store.active and (store.edges != store.whole).any()
    weights = dict(runner.model.named_parameters())
    assert all(weight.isfinite().all() for weight in weights.values())
    moved = {n for n in weights if not torch.equal(weights[n], before[n])}
    still = {n for n in before.keys() - moved if weights[n].requires_grad}
    if getattr(runner.model.backbone, 'zero_init_residual', False):
        # A branch that starts at zero gets no gradient in the first step.
        still = {name for name in still if '.layer' not in name}
    assert any(name.startswith('backbone.') for name in moved)
    assert not {
        n
        for n in still
        if not n.endswith('fc0.bias')  # before batch norm, without effect
    }


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_names_the_fast_transforms(path):
    cfg = read(path)
    assert cfg.model.data_preprocessor.type == (
        'mmregioncl.SelfSupDataPreprocessor')
    types = {
        step['type']
        for part in (cfg.train_dataloader, cfg.get('eval_datasets'),
                     cfg.model.data_preprocessor)
        for step in typed_dicts(part)
    }
    assert types & {f'mmregioncl.{name}' for name in FAST}
    assert not types & {*FAST}
    # No model reads data samples, so none are sent between processes.
    packs = [
        step for step in typed_dicts(cfg.train_dataloader)
        if step['type'].startswith('mmregioncl.Pack')
    ]
    assert packs and all(pack.keys() == {'type'} for pack in packs)


@pytest.mark.mmselfsup
@pytest.mark.parametrize('method', ['mocov2', 'byol', 'simclr'])
def test_views_are_those_of_mmselfsup(method):
    """All settings of the loader of ImageNet are equal."""
    path = f'selfsup/_base_/datasets/imagenet_{method}.py'
    theirs = Config.fromstring(f"_base_ = 'mmselfsup::{path}'", '.py')
    ours = load(ROOT / f'configs/_base_/datasets/imagenet_{method}.py')
    loaders = []
    for cfg in (ours, theirs):
        loader = cfg.train_dataloader.to_dict()
        for part in typed_dicts(loader):
            part['type'] = part['type'].split('.')[-1]
            part.pop('_scope_', None)
        pipeline = loader['dataset']['pipeline']
        assert pipeline.pop(0)['type'].startswith('LoadImage')
        pipeline[-1].pop('meta_keys', None)
        loaders.append(loader)
    ours, theirs = loaders
    assert ours['sampler'].pop('type') == 'SeededSampler'
    assert theirs['sampler'].pop('type') == 'DefaultSampler'
    assert ours.pop('pin_memory') and ours.pop('drop_last')
    theirs.pop('drop_last', None)
    assert ours == theirs


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_keeps_the_rules(path):
    cfg = read(path)
    check_old(cfg)
    assert cfg.train_dataloader.pin_memory
    # Otherwise every epoch repeats the random numbers of the first.
    assert cfg.train_dataloader.persistent_workers
    assert cfg.train_dataloader.drop_last
    assert cfg.default_scope == 'mmregioncl'
    hooks = cfg.default_hooks
    assert hooks.guard.type == 'mmregioncl.GuardHook'
    # What docs/reliability.md promises
    assert cfg.train_dataloader.sampler.type == 'mmregioncl.SeededSampler'
    assert cfg.train_cfg.type == 'mmregioncl.SeededTrainLoop'
    assert hooks.resume.type == 'mmregioncl.ResumeHook'
    assert hooks.checkpoint.type == 'mmregioncl.TimedCheckpointHook'
    assert hooks.checkpoint.minutes == 15
    # SimSiamHook keeps the predictor at the optimizer's learning rate.
    for hook in cfg.get('custom_hooks', []):
        if hook.type == 'SimSiamHook':
            assert hook.lr == cfg.optim_wrapper.optimizer.lr
    # Files are read by the loader that a corrupt one cannot stop.
    steps = [step.type for step in pipeline_of(cfg)]
    assert 'LoadImageFromFile' not in steps
    epochs = cfg.train_cfg.max_epochs
    schedule = cfg.param_scheduler[-1]
    if schedule.type == 'CosineAnnealingLR':
        assert schedule.begin + schedule.T_max == schedule.end == epochs
        law = 'coslr'
    else:
        assert schedule.milestones[-1] < epochs
        law = 'steplr'
    batch = cfg.train_dataloader.batch_size
    steps = cfg.optim_wrapper.get('accumulative_counts')
    accumulated = f'-accum{steps}' if steps else ''
    assert f'xb{batch}{accumulated}-{law}-{epochs}e_' in path.name


@pytest.mark.parametrize('name', [
    'simsiam_resnet18_1xb512-coslr-200e_cifar10', 'regioncl-s_resnet50_8xb32-'
    'coslr-200e_in1k'
])
def test_predictor_keeps_its_learning_rate(name, folders, tmp_path):
    """SimSiam, Appendix A; over two epochs of a cosine."""
    path = ROOT / f'configs/regioncl/{name}.py'
    cfg = shrink(load(path), folders, tmp_path / 'run')
    cfg.train_cfg.max_epochs = 2
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', T_max=2, end=2)]
    seen = []

    class Rates(Hook):

        def before_train_iter(self, runner, batch_idx, data_batch=None):
            names = {id(w): n for n, w in runner.model.named_parameters()}
            seen.append({
                names[id(weight)]: group['lr']
                for group in runner.optim_wrapper.param_groups
                for weight in group['params'] if id(weight) in names
            })

    runner = Runner.from_cfg(cfg)
    runner.register_hook(Rates())
    runner.train()
    first, last = seen[0], seen[-1]
    lr = cfg.optim_wrapper.optimizer.lr
    assert set(first.values()) == {lr}
    for weight, rate in last.items():
        assert rate == pytest.approx(lr if 'predictor' in weight else lr / 2)
    assert any('predictor' in weight for weight in last)


def test_basenames_are_unique():
    """Tools find a packaged config by its name alone."""
    names = Counter(
        path.name for path in (ROOT / 'configs').rglob('*.py')
        if '_base_' not in path.parts)
    assert max(names.values()) == 1


def test_official_recipe():
    cfg = read(ROOT / 'configs/regioncl' /
               'regioncl-m_resnet50_8xb128-coslr-200e_in1k.py')
    model, optimizer = cfg.model, cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum,
            optimizer.weight_decay) == ('SGD', 0.15, 0.9, 1e-4)
    assert (model.queue_len, model.feat_dim,
            model.head.temperature) == (65536, 128, 0.2)
    momentum = signature(MoCo).parameters['momentum'].default
    assert 'momentum' not in model and momentum == host.kept(0.999)
    assert model.backbone.depth == 50


@pytest.mark.slow
def test_regions_are_of_the_recipe():
    """A third of the cells on average, two fifths of 4x4, a quarter of 3x3.

    Of each backbone and size of views in the configs.
    """
    swaps = {}
    for path in CONFIGS:
        cfg = read(path)
        if path.stem.startswith('regioncl-'):
            assert 'region_swap' not in cfg.model
            backbone = cfg.model.backbone
            # Made in the loader, or on the device
            views = cfg.model.data_preprocessor.get('views') or pipeline_of(
                cfg)[-2]
            pixels = views.transforms[0][0]['size']
            swaps[backbone.type, pixels] = dict(backbone, **thin(backbone))
    for (name, pixels), backbone in swaps.items():
        with torch.no_grad():
            backbone = with_settings(backbone, MAP_SETTINGS)
            maps = MODELS.build(backbone)(torch.zeros(1, 3, pixels, pixels))
        swap = RegionSwap().fit(grid_of(maps), (pixels, pixels))
        swaps[name, pixels] = swap.size, swap.stride
    assert swaps == {
        ('MoCoV3ViT', 224): ((6, 10), 16),
        ('MoCoV3ViT', 32): ((3, 6), 4),
        ('ResNet', 224): ((3, 5), 32),
        ('ResNet', 128): ((2, 3), 32),
        ('ResNet', 64): ((2, 3), 16),
        ('ResNet_CIFAR', 96): ((5, 9), 8),
        ('ResNet_CIFAR', 64): ((3, 6), 8),
        ('ResNet_CIFAR', 32): ((2, 3), 8),
        ('ResNet_CIFAR', 24): ((1, 2), 8)
    }


@pytest.mark.parametrize('method, head, loss_weight, temperature', [
    ('simclr', 'ContrastiveHead', 0.5 / 0.07, 0.5),
    ('moco', 'ContrastiveHead', 1., 0.2),
    ('byol', 'LatentPredictHead', 1., None),
    ('simsiam', 'LatentPredictHead', 1., None),
])
@pytest.mark.parametrize('data', ['cifar10', 'cifar100'])
def test_released_recipe_of_contrastive_crop(method, head, loss_weight,
                                             temperature, data):
    """Its configs at 408f143."""
    cfg = read(ROOT / 'configs/contrastivecrop' /
               f'ccrop-{method}_resnet18_1xb512-coslr-500e_{data}.py')
    model, optimizer = cfg.model, cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum,
            optimizer.weight_decay) == ('SGD', 0.5, 0.9, 1e-4)
    assert model.backbone.zero_init_residual == (method == 'simsiam')
    assert (model.neck.in_channels, model.neck.hid_channels) == (512, 512)
    assert model.head.type == head
    assert model.head.loss.get('loss_weight', 1.) == loss_weight
    assert model.head.get('temperature') == temperature
    assert model.get('queue_len') == (65536 if method == 'moco' else None)
    assert cfg.train_dataloader.batch_size == 512


@pytest.mark.parametrize('folder', ['regioncl', 'contrastivecrop'])
def test_metafile_names_every_config(folder):
    """setup.py writes it for mim."""
    assert f'configs/{folder}/metafile.yml' in (ROOT /
                                                'model-index.yml').read_text()
    setup = runpy.run_path(str(ROOT / 'setup.py'))
    metafile = setup['metafile'](folder)
    collection, = metafile['Collections']
    assert (ROOT / collection['README']).exists()
    assert {*collection} == {'Name', 'Metadata', 'Paper', 'README'}
    models = metafile['Models']
    assert {m['In Collection'] for m in models} == {collection['Name']}
    paths = {ROOT / model['Config'] for model in models}
    assert {path.stem for path in paths} == {m['Name'] for m in models}
    assert paths == {path for path in CONFIGS if path.parent.name == folder}
    for model in models:
        loader = read(ROOT / model['Config']).train_dataloader
        metadata = model['Metadata']
        assert metadata['Batch Size'] % loader.batch_size == 0
        assert metadata['Epochs'] == read(ROOT /
                                          model['Config']).train_cfg.max_epochs
        assert metadata['Training Data']


def test_metadata_of_a_model():
    setup = runpy.run_path(str(ROOT / 'setup.py'))
    found = {
        model['Name']: model['Metadata']
        for folder in ('regioncl', 'contrastivecrop')
        for model in setup['metafile'](folder)['Models']
    }
    wanted = {
        'regioncl-byol_resnet50_8xb32-accum16-coslr-200e_in1k':
        [200, 4096, 'ImageNet-1k'],
        'regioncl-m_resnet50_1xb128-coslr-200e_folder':
        [200, 128, 'any folder of images'],
        'regioncl-m_resnet18_1xb512-coslr-200e_stl10':
        [200, 512, 'STL-10, train and unlabeled'],
        'ccrop-mocov1_resnet50_8xb32-steplr-100e_in200':
        [100, 256, 'ImageNet-200'],
    }
    for name, values in wanted.items():
        assert list(found[name].values()) == values


@pytest.mark.parametrize(
    'path', [path for path in CONFIGS if 'resnet18_1xb' in path.name],
    ids=lambda path: path.stem)
def test_labeled_sets_give_samples(path, folders):
    for dataset in load(path).eval_datasets.values():
        dataset.update(folders[dataset.type])
        sample = DATASETS.build(dataset)[0]
        assert sample['inputs'][0].shape[0] == 3
        assert sample['data_samples'].gt_label.value >= 0


def baseline(path: Path) -> Path:
    """Our config of the parent method with the same data and budget."""
    parents = dict(m='mocov2', d='densecl', s='simsiam')
    method, recipe = path.name.removeprefix('regioncl-').split('_', 1)
    return path.with_name(f'{parents.get(method, method)}_{recipe}')


@pytest.mark.parametrize(
    'path', [
        path for path in CONFIGS if path.name.startswith('regioncl')
        and not path.stem.endswith(('in1k', 'folder'))
    ],
    ids=lambda path: path.stem)
def test_baselines_differ_by_the_method_alone(path):
    """Configs differ in one line, but for the weight of RegionCL-D."""
    ours, theirs = (load(p).to_dict() for p in (path, baseline(path)))
    models = [cfg['model'] for cfg in (ours, theirs)]
    kinds = [model.pop('type') for model in models]
    assert kinds[0].startswith('mmregioncl.RegionCL')
    assert kinds[0].endswith(kinds[1])
    small = path.stem.endswith(('_cifar10', '_cifar100')) or \
        '-10e_' in path.stem
    weight = models[0].pop('region_weight', 1.)
    assert weight == (0.5 if 'regioncl-d_' in path.stem and small else 1.)
    assert ours == theirs


@pytest.mark.parametrize(
    'path', [path for path in CONFIGS if 'ccrop' in path.name],
    ids=lambda path: path.stem)
def test_baselines_differ_by_the_crop_alone(path):
    name = path.name.partition('-')[2]
    theirs, = (other for other in CONFIGS if other.name == name)
    ours, theirs = (load(path).to_dict() for path in (path, theirs))
    boxes = ours['default_hooks'].pop('boxes', None)
    crops = [
        cfg['train_dataloader']['dataset']['pipeline'][-2]['transforms'][0][0]
        for cfg in (ours, theirs)
    ]
    assert [crop.pop('type') for crop in crops] == [
        'mmregioncl.ContrastiveCrop', 'mmregioncl.RandomResizedCrop'
    ]
    fixed = crops[0].pop('fixed_box', None)
    if fixed:
        assert boxes is None and fixed == (.25, .25, .75, .75)
    else:
        assert boxes == dict(type='mmregioncl.SemanticLocalizationHook')
    # The released values; the paper's is 0.6 throughout.
    small = not path.stem.endswith(('in1k', 'in200'))
    assert crops[0].pop('alpha') == (0.1 if small else 0.6)
    for cfg in (ours, theirs):  # a variable on the way there
        cfg.pop('train_pipeline')
    assert ours == theirs


@pytest.mark.parametrize(
    'path', [path for path in CONFIGS if path.parent.name == 'regioncl'],
    ids=lambda path: path.stem)
def test_queue_is_shorter_than_the_data(path):
    """Otherwise an image meets its own old keys among the negatives."""
    images = dict(
        in1k=1281167,
        coco=118287,
        in100=126689,
        cifar10=50000,
        cifar100=50000,
        stl10=105000,
        digits=1198,
        folder=None)
    images.update({
        'tiny-imagenet': 100000,
        'cifar10-10k': 10000,
        'cifar10-device-views': 50000,
        'coco-small-camvid': 566
    })
    count = images[path.stem.split('_')[-1]]
    queue = read(path).model.get('queue_len', 0)
    assert count is None or queue < count


SWITCH = """_base_ = '{}.py'

model = dict(type='mmregioncl.{}')
"""
SWITCHES = dict(
    mmselfsup=dict(
        RegionCLMoCo='mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k',
        RegionCLDenseCL='densecl/densecl_resnet50_8xb32-coslr-200e_in1k',
        RegionCLSimSiam='simsiam/simsiam_resnet50_8xb32-coslr-100e_in1k',
        RegionCLBYOL='byol/byol_resnet50_8xb32-accum16-coslr-200e_in1k',
        RegionCLMoCoV3='mocov3/mocov3_resnet50_8xb512-amp-coslr-100e_in1k',
        RegionCLSimCLR='simclr/simclr_resnet50_8xb32-coslr-200e_in1k'),
    mmpretrain=dict(
        RegionCLMoCo='mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k',
        RegionCLDenseCL='densecl/densecl_resnet50_8xb32-coslr-200e_in1k',
        RegionCLSimSiam='simsiam/simsiam_resnet50_8xb32-coslr-100e_in1k',
        RegionCLBYOL='byol/byol_resnet50_16xb256-coslr-200e_in1k',
        RegionCLMoCoV3='mocov3/mocov3_resnet50_8xb512-amp-coslr-100e_in1k',
        RegionCLSimCLR='simclr/simclr_resnet50_8xb32-coslr-200e_in1k'))[
            host.NAME]
FOLDER = dict(mmselfsup='mmselfsup::selfsup/', mmpretrain='mmpretrain::')


@pytest.mark.parametrize('name', SWITCHES)
def test_one_line_turns_a_parent_into_its_region_method(
        name, folders, tmp_path):
    """The configs are the host's own packaged ones."""
    (tmp_path / 'switched.py').write_text(
        SWITCH.format(FOLDER[host.NAME] + SWITCHES[name], name))
    cfg = shrink(
        Config.fromfile(tmp_path / 'switched.py'), folders, tmp_path / 'run')
    runner = Runner.from_cfg(cfg)
    assert type(runner.model).__name__ == name
    runner.train()
    assert 'train/loss_region' in runner.message_hub.log_scalars


def test_pages_have_the_switch():
    name = 'RegionCLMoCo'
    for folder, page in zip(FOLDER.values(),
                            ('README.md', 'docs/pretraining.md')):
        switch = SWITCH.format(folder + SWITCHES[name], name)
        assert switch in (ROOT / page).read_text()
    table = (ROOT / 'docs/pretraining.md').read_text()
    assert all(f'`{path}.py`' in table for path in SWITCHES.values())
