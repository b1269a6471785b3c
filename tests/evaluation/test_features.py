from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmregioncl.evaluation import (class_folder, extract_features, load_model,
                                   view_size)


@pytest.fixture
def cfg(model_cfg):
    view = dict(type='mmregioncl.RandomResizedCrop', size=32)
    multi = dict(type='MultiView', num_views=2, transforms=[[view]])
    dataset = dict(pipeline=[dict(type='mmregioncl.LoadImage'), multi])
    return Config(
        dict(model=model_cfg, train_dataloader=dict(dataset=dataset)))


def test_features_are_means_of_the_last_map(cfg, image_folder):
    model = load_model(cfg)
    features, labels = extract_features(
        model, class_folder(str(image_folder), view_size(cfg)), batch_size=5)
    assert features.shape == (12, 64)
    assert labels.tolist() == [0] * 6 + [1] * 6  # folders a, then b

    path = sorted(image_folder.glob('a/*.png'))[0]
    pixels = np.array(Image.open(path).resize((32, 32), Image.BILINEAR))
    image = torch.tensor(pixels).permute(2, 0, 1)[None].float()
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
    image, mean, std = (
        t.to(next(model.parameters()).device) for t in (image, mean, std))
    with torch.no_grad():
        expected = model.backbone((image - mean) / std)[-1].mean((2, 3))
    # cv2 resizes without antialiasing: close, not equal
    assert torch.cosine_similarity(features[:1], expected.cpu()) > 0.9


@pytest.fixture
def deep_folder(tmp_path):
    """Two classes of images of 12 bits in 16-bit files."""
    pixels = np.linspace(0, 4095, 1024).reshape(32, 32).astype(np.uint16)
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / '0.png'), pixels)
    return tmp_path


@pytest.mark.parametrize('value_range', [None, (0, 4095)])
def test_lost_shades_are_warned_of(cfg, deep_folder, value_range, monkeypatch):
    """As before training."""
    monkeypatch.setattr('mmregioncl.evaluation.data.print_log', told := Mock())
    load = dict(type='mmregioncl.LoadImage', value_range=value_range)
    extract_features(load_model(cfg), class_folder(str(deep_folder), 32, load))
    said = {call.args[0] for call in told.call_args_list}
    assert len(said) == (value_range is None)
    assert all(
        text.startswith(f'images of type uint16 of {deep_folder} have values '
                        'from 0 to 4095, of 0 to 65535, so 8 bits keep few ')
        for text in said)


def test_same_checkpoint_same_features(cfg, image_folder, tmp_path):
    model = load_model(cfg)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    dataset = class_folder(str(image_folder), 32)
    first, _ = extract_features(model, dataset)
    loaded = load_model(cfg, str(tmp_path / 'model.pth'))
    again, _ = extract_features(loaded, dataset)
    assert torch.equal(first, again)


def test_checkpoint_of_another_architecture_is_refused(cfg, tmp_path):
    path = tmp_path / 'model.pth'
    torch.save(load_model(cfg).state_dict(), path)
    cfg.model.backbone.base_channels = cfg.model.backbone.stem_channels = 16
    cfg.model.neck.in_channels = 128
    with pytest.raises(ValueError, match='[0-9] misshapen: bn1.bias of '):
        load_model(cfg, str(path))


def test_exactly_the_backbone_counts(cfg, tmp_path):
    path = str(tmp_path / 'model.pth')
    weights = load_model(cfg).state_dict()
    weights['neck.unknown'] = torch.rand(1)
    del weights['queue']
    torch.save(weights, path)
    load_model(cfg, path)
    del weights['backbone.bn1.bias']
    torch.save(weights, path)
    with pytest.raises(ValueError, match='1 missing: bn1.bias'):
        load_model(cfg, path)
