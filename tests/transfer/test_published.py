import pytest
import timm
import torch
import torchvision
from mmengine.registry import MODELS
from mmengine.runner import Runner
from safetensors.torch import save_file

from mmregioncl.transfer import LAYOUTS, adopt_published, to_layout
from mmregioncl.transfer.layouts import rules_of, undo_rules

AVERAGES = dict(
    RegionCLMoCo='encoder_k',
    RegionCLDenseCL='encoder_k',
    RegionCLBYOL='target_net',
    RegionCLMoCoV3='momentum_encoder')
RESNET18 = dict(type='mmregioncl.ResNet', depth=18)


@pytest.mark.parametrize('package', ['torchvision', 'timm'])
def test_published_resnet_arrives(model_cfg, build, package):
    """Whole file, with the classifier: features are those of the package."""
    model_cfg.update(backbone=RESNET18, neck=dict(model_cfg['neck']))
    model_cfg['neck'].update(in_channels=512)
    model = build(model_cfg)
    theirs = torchvision.models.resnet18() if package == 'torchvision' else \
        timm.create_model('resnet18')
    for name, value in theirs.named_buffers():
        if 'running_var' in name:  # as after training
            value.uniform_(0.5, 1.5)
    checkpoint = theirs.state_dict()
    told = adopt_published(model, checkpoint)
    # 20 convolutions, and the four of each norm
    assert told.startswith('backbone: 100 weights loaded into backbone and '
                           'encoder_k.module.0, the others of RegionCLMoCo')
    assert told.endswith('left out: fc.weight, fc.bias')
    model.load_state_dict(checkpoint['state_dict'])

    theirs.fc = torch.nn.Identity()
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted = theirs.eval()(image)
        for part in (model.backbone, model.encoder_k.module[0]):
            part.eval()  # which returns nothing, in mmcls
            found = part(image)[-1].mean((2, 3))
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_averages_start_from_it(method, build):
    """Those of MoCo, BYOL and MoCo v3; all else stays as it was."""
    for cfg in method:
        model = build(cfg)
        before = {k: v.clone() for k, v in model.state_dict().items()}
        given = build(cfg).backbone.state_dict()
        checkpoint = dict(state_dict=given | {'fc.bias': torch.rand(3)})
        assert 'left out: fc.bias' in adopt_published(model, checkpoint)
        model.load_state_dict(checkpoint['state_dict'])
        name = cfg['type'].split('.')[-1].removeprefix('RegionCL')
        average = AVERAGES.get(f'RegionCL{name}')
        prefixes = ['backbone.']
        if average:
            prefixes.append(f'{average}.module.0.')
        for name, value in model.state_dict().items():
            prefix = next(filter(name.startswith, prefixes), None)
            wanted = given[name.removeprefix(prefix)] if prefix else \
                before[name]
            assert torch.equal(value, wanted), name


@pytest.mark.parametrize('cfg', [
    dict(type='ConvNeXt', arch=dict(depths=[1] * 4, channels=[4, 8, 8, 8])),
    dict(
        type='SwinTransformer',
        arch=dict(embed_dims=8, depths=[1] * 4, num_heads=[1] * 4)),
    dict(
        type='VisionTransformer',
        arch=dict(
            embed_dims=8,
            num_layers=2,
            num_heads=2,
            feedforward_channels=16),
        img_size=32),
    dict(type='MobileNetV2', widen_factor=0.25),
    dict(type='MobileNetV3', arch='small_050'),
], ids=lambda cfg: cfg['type'])  # yapf: disable
@pytest.mark.parametrize('layout', LAYOUTS)
def test_renaming_is_undone(cfg, layout):
    """Also where values change their places, as in Swin and ConvNeXt."""
    weights = MODELS.build(dict(cfg, type=f'mmregioncl.{cfg["type"]}'))
    weights = {
        name: torch.rand(value.shape)
        for name, value in weights.state_dict().items()
    }
    try:
        theirs = to_layout(weights, layout)
    except ValueError:
        return  # no such network there
    back = undo_rules(rules_of(weights, layout), weights, theirs)
    assert len(back) == len(theirs)
    assert all(torch.equal(back[name], weights[name]) for name in back)


def test_safetensors_start_a_run(runner_cfg, tmp_path):
    """One line: load_from."""
    backbone = MODELS.build(runner_cfg.model.backbone)
    path = tmp_path / 'model.safetensors'
    save_file(backbone.state_dict(), path)
    runner_cfg.load_from = str(path)
    runner_cfg.optim_wrapper.optimizer.lr = 0.
    runner_cfg.train_cfg.max_epochs = 1
    runner = Runner.from_cfg(runner_cfg)
    runner.train()
    for part in (runner.model.backbone, runner.model.encoder_k.module[0]):
        for name, value in part.named_parameters():
            assert torch.equal(value, backbone.get_parameter(name)), name


@pytest.mark.parametrize('change, fault', [
    (lambda w: w.pop('conv1.weight'), '1 missing: conv1.weight'),
    (lambda w: w.update(mask=torch.rand(1)), '1 unexpected: mask'),
    (lambda w: w.update({'bn1.bias': torch.rand(3)}), '1 misshapen: bn1.bias'),
])
def test_what_does_not_fit_is_refused(model_cfg, build, change, fault):
    model = build(model_cfg)
    checkpoint = model.backbone.state_dict()
    change(checkpoint)
    with pytest.raises(ValueError, match=fault):
        adopt_published(model, checkpoint)


def test_a_norm_in_the_classifier_is_taken(model_cfg, build):
    """As in timm's ConvNeXt."""
    arch = dict(depths=[1] * 4, channels=[4, 8, 8, 8])
    model_cfg.update(backbone=dict(type='mmregioncl.ConvNeXt', arch=arch))
    model = build(model_cfg)
    checkpoint = to_layout(model.backbone.state_dict(), 'timm')
    assert 'head.norm.weight' in checkpoint
    checkpoint['head.fc.bias'] = torch.rand(3)
    assert adopt_published(model,
                           checkpoint).endswith('left out: head.fc.bias')


def test_other_checkpoints_stay_as_they_are(model_cfg, build):
    """Whole ones, and those of another method, which are refused later."""
    model = build(model_cfg)
    whole = model.state_dict()
    other = {k: v for k, v in whole.items() if not k.startswith('encoder_k')}
    for checkpoint in (dict(whole), dict(other)):
        before = dict(checkpoint)
        assert adopt_published(model, checkpoint) is None
        assert checkpoint == before or checkpoint.keys() == before.keys()
    assert adopt_published(model.backbone, dict(a=torch.rand(1))) is None
    assert adopt_published(model, dict(step=1)) is None  # without weights
