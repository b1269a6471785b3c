import pickle
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from mmengine.registry import MODELS

from mmregioncl.transfer import (backbone_weights, from_openselfsup,
                                 read_weights, to_layout, to_openselfsup,
                                 write_weights)

ROOT = Path(__file__).parents[2]


def resnet50():
    backbone = MODELS.build(dict(type='mmregioncl.ResNet', depth=50))
    for name, value in backbone.named_buffers():
        if 'running_var' in name:  # as after training
            value.uniform_(0.5, 1.5)
    backbone.eval()  # which returns nothing, in mmcls
    return backbone


@pytest.fixture(scope='module')
def backbone():
    return resnet50()


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize('package', ['torchvision', 'timm'])
def test_feature_maps_are_the_same(backbone, package, suffix, tmp_path):
    """The other package's ResNet-50 loads the converted file."""
    path = tmp_path / f'backbone.{suffix}'
    checkpoint = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    checkpoint['neck.fc0.weight'] = torch.rand(2, 2)
    write_weights(to_layout(backbone_weights(checkpoint), package), path)
    if package == 'timm':
        model = timm.create_model('resnet50', num_classes=0, global_pool='')
        model.load_state_dict(read_weights(path))
        forward = model.eval()
    else:
        model = torchvision.models.resnet50()
        model.fc = torch.nn.Identity()
        model.load_state_dict(read_weights(path))
        forward = torch.nn.Sequential(*list(model.eval().children())[:-2])
    image = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        ours, theirs = backbone(image)[-1], forward(image)
    assert ours.std() > 0.01
    torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-5)


def test_detectron2_reads_the_names(backbone, tmp_path):
    weights = to_layout(backbone_weights(backbone.state_dict()), 'detectron2')
    write_weights(weights, tmp_path / 'backbone.pkl')
    content = pickle.loads((tmp_path / 'backbone.pkl').read_bytes())
    assert content['matching_heuristics']
    model = content['model']
    # Its ResNet-50: a stem, 16 blocks of three convolutions, 4 shortcuts, each
    # with a weight and the four of its norm
    assert len(model) == 5 * (1 + 16 * 3 + 4)
    own = backbone.state_dict()
    for theirs, ours in {
            'stem.conv1.weight': 'conv1.weight',
            'stem.conv1.norm.running_var': 'bn1.running_var',
            'res2.0.shortcut.weight': 'layer1.0.downsample.0.weight',
            'res5.0.shortcut.norm.bias': 'layer4.0.downsample.1.bias',
            'res4.5.conv3.norm.weight': 'layer3.5.bn3.weight',
    }.items():
        assert (model[theirs] == own[ours].numpy()).all()


@pytest.mark.parametrize('prefix', [
    '', 'backbone.', 'module.encoder_q.0.', 'module.module.backbone.',
    '_orig_mod.backbone._orig_mod.'
])
def test_backbones_of_any_checkpoint(prefix, tmp_path):
    weights = {
        'conv1.weight': torch.rand(1, 1, 1, 1),
        'layer1.0.bn1.bias': torch.rand(1)
    }
    checkpoint = {
        **{
            prefix + name: value
            for name, value in weights.items()
        }, 'fc.weight': torch.rand(1)
    }
    torch.save(dict(state_dict=checkpoint), tmp_path / 'a.pth')
    found = backbone_weights(read_weights(tmp_path / 'a.pth'))
    assert found == weights


def test_tied_weights_are_written_twice(tmp_path):
    weight = torch.rand(2, 3)
    weights = dict(a=weight, b=weight, c=weight.T, d=weight[0])
    write_weights(weights, tmp_path / 'a.safetensors')
    for name, value in read_weights(tmp_path / 'a.safetensors').items():
        assert torch.equal(value, weights.pop(name))
    assert not weights


def test_files_without_a_backbone_are_refused(tmp_path):
    kernel = torch.rand(1, 1, 1, 1)
    for name in ('neck.fc.weight', 'backbone.fc.weight', 'head.fc.weight',
                 'student.backbone.conv1.weight'):
        with pytest.raises(ValueError, match=rf'it has 1, such as {name}\)'):
            backbone_weights({name: kernel})
    with pytest.raises(ValueError, match=r'it has 2, such as weight\)'):
        backbone_weights(torch.nn.Linear(2, 2).state_dict())
    with pytest.raises(ValueError, match='weights such as a is known in timm'):
        to_layout(backbone_weights({'backbone.a': kernel}), 'timm')
    for content in (dict(epoch=3), {}, dict(model='a'), dict(state_dict=[1]), {
            1: torch.rand(1)
    }):
        torch.save(content, tmp_path / 'a.pth')
        with pytest.raises(ValueError, match='a.pth is not a checkpoint'):
            read_weights(tmp_path / 'a.pth')
    for path in (tmp_path / 'b.pth', tmp_path / 'b.safetensors'):
        path.write_bytes((tmp_path / 'a.pth').read_bytes()[:99])
        with pytest.raises(
                ValueError, match='cannot load .*b.*, which is broken'):
            read_weights(path)


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_official_checkpoints_load_strictly(model_cfg, build, suffix,
                                            tmp_path):
    """Converted there and back, nothing is lost."""
    model = build(model_cfg)
    theirs = to_openselfsup(model.state_dict())
    assert 'encoder_q.1.mlp.0.weight' in theirs
    assert torch.equal(theirs['backbone.conv1.weight'],
                       theirs['encoder_q.0.conv1.weight'])
    other = build(model_cfg)
    path = tmp_path / f'official.{suffix}'
    write_weights({f'module.{k}': v for k, v in theirs.items()}, path)
    other.load_state_dict(from_openselfsup(read_weights(path)))
    for name, value in model.state_dict().items():
        if not name.endswith('steps'):
            assert torch.equal(other.state_dict()[name], value), name
    assert other.encoder_k.steps == 1  # or else the next step copies
    for convert in (to_openselfsup, from_openselfsup):
        with pytest.raises(ValueError, match='predictor.weight is not a wei'):
            convert({'predictor.weight': torch.rand(1)})
        with pytest.raises(ValueError, match='has no queue, so it is not of'):
            convert({'backbone.a': torch.rand(1)})
        with pytest.raises(ValueError, match='has no queue, so it is not of'):
            convert({})
        with pytest.raises(ValueError, match='queue2 is not a weight of MoCo'):
            convert({'queue': torch.rand(1), 'queue2': torch.rand(1)})


def test_names_of_the_official_code(model_cfg, build):
    """OpenSelfSup's encoders are sequences of a backbone and a neck."""
    ours = build(model_cfg).state_dict()
    wanted = {'queue', 'queue_ptr'}
    for name in ours:
        part, _, rest = name.partition('.')
        if part == 'backbone':
            wanted |= {name, f'encoder_q.0.{rest}', f'encoder_k.0.{rest}'}
        elif part == 'neck':
            wanted |= {f'encoder_q.1.{rest}', f'encoder_k.1.{rest}'}
    assert {'encoder_q.1.mlp.2.bias',
            'encoder_k.0.layer4.0.conv2.weight'} < wanted
    assert to_openselfsup(ours).keys() == wanted


def test_converters_as_commands(model_cfg, build, run_tool, tmp_path):
    torch.save(
        dict(state_dict=build(model_cfg).state_dict()), tmp_path / 'a.pth')
    folder = Path('model_converters')
    for out, layout in (('b.pkl', 'detectron2'), ('b.safetensors',
                                                  'openmmlab')):
        done = run_tool(folder / 'extract_backbone.py', 'a.pth', out)
        assert done.stdout.endswith(f': 60 weights, named as in {layout}\n')
    run_tool(folder / 'import_regioncl.py', 'a.pth', 'c.pth', '--back')
    run_tool(folder / 'import_regioncl.py', 'c.pth', 'd.pth')
    before, after = (read_weights(tmp_path / f'{n}.pth') for n in 'ad')
    assert before.keys() == after.keys()
    assert torch.equal(before['queue'], after['queue'])


def names_of(**cfg) -> dict:
    """Weights of a backbone of the host."""
    cfg['type'] = f'mmregioncl.{cfg["type"]}'
    return MODELS.build(cfg).state_dict()


@pytest.mark.slow
def test_wide_resnexts_are_no_regnets():
    """Their first bottleneck is as wide as its output, too."""
    weights = names_of(type='ResNeXt', depth=50, groups=32, width_per_group=8)
    assert to_layout(weights, 'torchvision').keys() == weights.keys()
    torchvision.models.resnet50(
        groups=32, width_per_group=8).load_state_dict(
            to_layout(weights, 'torchvision'), strict=False)


@pytest.mark.parametrize(
    'cfg', [
        dict(type='SEResNet', depth=50),
        dict(type='HRNet', arch='w18'),
        dict(type='SwinTransformerV2', arch='tiny'),
        dict(type='VisionTransformer', arch='deit-tiny', pre_norm=True),
        dict(type='EdgeNeXt', arch='xxsmall'),
    ],
    ids=lambda cfg: cfg['type'])
@pytest.mark.parametrize('layout', ['timm', 'torchvision'])
def test_networks_with_other_layers_are_refused(cfg, layout):
    """Many have the names of another family, and some more."""
    with pytest.raises(ValueError, match='no counterpart of networks with'):
        to_layout(names_of(**cfg), layout)
