import copy
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import MODELS
from mmengine.runner import Runner

from mmregioncl.engine import classifier
from mmregioncl.engine.classifier import adopt_backbone, train_classifier
from mmregioncl.engine.config import load_config
from mmregioncl.evaluation import class_folder
from mmregioncl.evaluation.protocols import FEATURE_PROTOCOLS
from mmregioncl.evaluation.run import EvaluationRun
from mmregioncl.models.classifiers import FeatureClassifier
from mmregioncl.models.utils import image_features
from mmregioncl.visualization import draw_neighbours, read_scalars
from toy import method_cfgs

ROOT = Path(__file__).parents[2]
LINEAR = (
    ROOT / 'configs/benchmarks/classification/cifar10' /
    'resnet18_linear-1xb512-steplr-100e_cifar10.py')
FINE_TUNE = LINEAR.with_name('resnet18_ft-1xb128-coslr-30e_cifar10.py')
KNN = dict(k=[1, 5], temperature=[0.1])


@pytest.fixture
def run(model_cfg, image_folder, tmp_path):
    folder = class_folder(str(image_folder), 32)
    model_cfg['backbone']['type'] = 'ToyResNet_CIFAR'  # as configs name it
    cfg = Config(
        dict(
            model=model_cfg,
            default_scope='mmregioncl',
            eval_datasets=dict(train=folder, test=folder)))
    model = MODELS.build(copy.deepcopy(model_cfg))
    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return EvaluationRun(
        cfg, str(checkpoint), tmp_path / 'out', batch_size=5, workers=0)


@pytest.fixture
def recipe(cifar_folder, tmp_path):
    """Write a recipe for four images of CIFAR-10, one batch an epoch."""

    def write(path, epochs: int, **model) -> str:
        cfg = Config.fromfile(path)
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            loader.dataset.data_prefix = str(cifar_folder)
            loader.update(num_workers=0, persistent_workers=False)
        cfg.train_cfg.max_epochs = epochs
        cfg.model.update(model)
        cfg.dump(path := tmp_path / 'linear_toy.py')
        return str(path)

    return write


def test_a_classifier_of_a_config(run, recipe, tmp_path):
    path = recipe(LINEAR, epochs=2)
    assert train_classifier(run, load_config(path))
    result = run.results['protocols']['linear_toy']
    work_dir, = tmp_path.glob('out/linear_toy-*')
    assert (work_dir / '.lock').exists()  # no other evaluation trains in it
    shown = [
        row['accuracy/top1'] / 100 for row in read_scalars(work_dir)
        if 'accuracy/top1' in row
    ]
    assert result['numbers'] == {
        'top-1, last epoch': shown[-1],
        'top-1, best epoch': max(shown)
    }
    assert len(shown) == 2
    trained = torch.load(work_dir / 'epoch_2.pth')['state_dict']
    given = torch.load(run.checkpoint)['state_dict']
    for name, value in given.items():
        if name.startswith('backbone.'):
            assert torch.equal(trained[name], value), name

    # What comes after is of this package's scope again.
    assert run.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
    draw_neighbours(run, tmp_path / 'neighbours.png')
    assert (tmp_path / 'neighbours.png').exists()


def test_a_classifier_is_of_its_images_and_checkpoint(run, recipe,
                                                      monkeypatch):
    """Others have a folder of their own, even in an --out without results."""
    claim = Mock(side_effect=ValueError('in use'))
    monkeypatch.setattr(classifier, 'claim_work_dir', claim)
    monkeypatch.setattr(classifier, 'adopt_backbone', Mock())
    cfg = load_config(recipe(LINEAR, epochs=2))
    weights = torch.load(run.checkpoint)
    weights['state_dict']['backbone.bn1.weight'] += 1
    torch.save(weights, run.checkpoint)
    (run.out / 'results.json').unlink()
    other = EvaluationRun(run.cfg, run.checkpoint, run.out)
    for each, images in ((run, 4), (run, 4), (run, 5), (other, 5)):
        monkeypatch.setattr(classifier, 'describe_dataset',
                            lambda dataset: dict(images=images, digest='0'))
        assert not train_classifier(each, copy.deepcopy(cfg))
    folders = [args[0] for args, _ in claim.call_args_list]
    assert folders[0] == folders[1] and len(set(folders)) == 3


def test_a_classifier_is_trained_once(run, recipe, monkeypatch):
    """Again with other images; images that cannot be read are an error."""
    fit = Mock(side_effect=lambda *args, **kwargs: dict(numbers={}, how=''))
    monkeypatch.setattr(classifier, 'fit_classifier', fit)
    cfg = load_config(recipe(LINEAR, epochs=2))
    describe = Mock(side_effect=OSError('no such images'))
    monkeypatch.setattr(classifier, 'describe_dataset', describe)
    assert not train_classifier(run, cfg)
    assert run.results['protocols']['linear_toy']['error'] == \
        'OSError: no such images'
    for images in (4, 4, 5):
        describe.side_effect = lambda dataset: dict(images=images, digest='0')
        assert train_classifier(run, cfg)
    assert fit.call_count == 2
    describe.side_effect = OSError('no such images')
    assert not train_classifier(run, cfg)
    result = run.results['protocols']['linear_toy']
    assert result['data']['test']['images'] == 5


VIT = dict(
    type='MoCoV3ViT',
    arch=dict(
        embed_dims=32, num_layers=6, num_heads=2, feedforward_channels=64),
    img_size=32,
    patch_size=8,
    norm_cfg=dict(type='LN', eps=1e-6),
    stop_grad_conv1=True)
DEIT = dict(VIT, type='DistilledVisionTransformer')
del DEIT['stop_grad_conv1']
TIMM = dict(
    type='TIMMBackbone',
    model_name='vit_tiny_patch16_224',
    img_size=32,
    patch_size=8,
    embed_dim=32,
    depth=1,
    num_heads=2)


@pytest.fixture
def vit_run(run, request):
    """The same of a transformer, by MoCo v3."""
    MessageHub.get_current_instance().update_info('max_iters', 100)
    model = dict(method_cfgs('RegionCLMoCoV3')[0], backbone=request.param)
    model['data_preprocessor'] = run.cfg.model.data_preprocessor
    model['neck']['in_channels'] = 32
    run.cfg.model = model
    weights = MODELS.build(copy.deepcopy(model)).state_dict()
    torch.save(dict(state_dict=weights), run.checkpoint)
    return EvaluationRun(
        run.cfg, run.checkpoint, run.out / 'vit', batch_size=5, workers=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    'vit_run', [VIT, DEIT, TIMM], indirect=True, ids=lambda vit: vit['type'])
@pytest.mark.parametrize('path', [LINEAR, FINE_TUNE], ids=['linear', 'ft'])
def test_a_classifier_of_a_transformer(vit_run, recipe, path, monkeypatch):
    """A step from the class token that evaluations take."""
    models = []
    monkeypatch.setattr(
        Runner,
        'train',
        lambda runner, train=Runner.train:
        (models.append(runner.model), train(runner))[1])
    assert train_classifier(vit_run, load_config(recipe(path, epochs=1)))
    result = vit_run.results['protocols']['linear_toy']
    assert result['numbers'].keys() == {
        'top-1, last epoch', 'top-1, best epoch'
    }
    trained, = models
    given = vit_run.model.backbone.state_dict()
    moved = {
        name
        for name, value in trained.backbone.state_dict().items()
        if not torch.equal(value, given[name])
    }
    # MoCo v3 keeps the sines of its positions.
    is_mocov3 = 'stop_grad_conv1' in vit_run.cfg.model.backbone
    sines = {'pos_embed'} if is_mocov3 else set()
    assert moved == (set() if path == LINEAR else given.keys() - sines)
    images = torch.randn(2, 3, 32, 32)
    trained.backbone.load_state_dict(given)
    trained.eval()
    features, = trained.extract_feat(images)
    wanted = image_features(vit_run.model.backbone(images))
    torch.testing.assert_close(features, wanted)


@pytest.mark.parametrize('vit_run', [VIT], indirect=True)
def test_recipes_that_average_maps_refuse_a_class_token(vit_run, recipe):
    cfg = Config.fromfile(recipe(LINEAR, 1, type='ImageClassifier'))
    with pytest.raises(
            ValueError, match='set model.type=.mmregioncl.FeatureClassifier'):
        adopt_backbone(cfg, vit_run)


@pytest.mark.parametrize('vit_run', [VIT], indirect=True)
def test_a_class_token_fits_subclasses(vit_run, recipe):

    @MODELS.register_module(force=True)
    class OwnClassifier(FeatureClassifier):
        pass

    cfg = Config.fromfile(recipe(LINEAR, 1, type='mmregioncl.OwnClassifier'))
    adopt_backbone(cfg, vit_run)
    assert cfg.model.head.in_channels == 32


def test_a_neck_that_pools_is_refused():
    """As of a recipe whose type alone was changed."""
    cfg = Config.fromfile(LINEAR)
    cfg.model.neck = dict(type='GlobalAveragePooling')
    with pytest.raises(ValueError, match='^GlobalAveragePooling has no map'):
        MODELS.build(cfg.model)


@pytest.mark.parametrize('stages', [-1, 4])
def test_a_frozen_backbone_has_no_stages_to_freeze(stages):
    """Fine-tuning used to be ``frozen_stages=-1`` on a linear recipe."""
    cfg = Config.fromfile(LINEAR)
    cfg.model.backbone.frozen_stages = stages
    with pytest.raises(
            ValueError,
            match=f'frozen=True .* frozen_stages={stages}: set frozen=False'):
        MODELS.build(cfg.model)


def test_recipes_keep_their_batch(run):
    """One process accumulates gradients up to the batch of the recipe."""
    path = LINEAR.parents[1] / 'imagenet' / \
        'resnet50_linear-8xb512-coslr-90e_in1k.py'
    recipe_cfg = Config.fromfile(path)
    adopt_backbone(recipe_cfg, run)
    assert recipe_cfg.model.head.in_channels == 64
    assert recipe_cfg.model.frozen
    assert recipe_cfg.data_preprocessor.mean == \
        run.cfg.model.data_preprocessor.mean
    assert 'data_preprocessor' not in recipe_cfg.model


@pytest.mark.parametrize('own', [True, False])
def test_recipes_need_no_random_resized_crop(run, own):
    """Nor do the configs of pre-training."""
    cfg = Config.fromfile(LINEAR)
    cfg.train_dataloader.dataset.pipeline = [
        dict(type='RandomCrop', crop_size=32, padding=4),
    ]
    sizes = []
    backbone = MODELS.build(run.cfg.model.backbone)
    backbone.register_forward_pre_hook(
        lambda module, images: sizes.append(images[0].shape[-1]))
    run.model = SimpleNamespace(backbone=backbone)
    if own:
        crop = dict(type='RandomResizedCrop', size=48)
        run.cfg.train_dataloader = dict(dataset=dict(pipeline=[crop]))
    adopt_backbone(cfg, run)
    assert sizes == [48 if own else 64]
    assert cfg.model.head.in_channels == 64


def test_a_classifier_loads_as_the_run_does(run):
    """Bands are neither swapped nor taken for colors."""
    load = dict(type='mmregioncl.LoadImage', channels=4, value_range=(0, 4095))
    preprocessor = dict(mean=[1, 2, 3, 4], std=[1, 2, 3, 4])
    run.cfg.train_dataloader = dict(dataset=dict(pipeline=[load]))
    run.cfg.model.update(data_preprocessor=preprocessor)
    run.cfg.model.backbone.in_channels = 4
    run.model = SimpleNamespace(backbone=MODELS.build(run.cfg.model.backbone))
    cfg = Config.fromfile(LINEAR.parents[1] / 'folder' /
                          'resnet50_linear-1xb256-steplr-100e_folder.py')
    adopt_backbone(cfg, run)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        step = loader.dataset.pipeline[0]
        assert {key: step[key] for key in load} == load
    assert cfg.data_preprocessor.mean == [1, 2, 3, 4]
    assert not cfg.data_preprocessor.to_rgb
